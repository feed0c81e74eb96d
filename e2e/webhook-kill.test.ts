import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { createDb, openWallet } from '@repo/db';
import { createTestDatabase } from '@repo/postgres/testing';
import { confirmationOf, createPayment, createRandom, openTarget, sendConfirmation } from '@repo/simulator';
import { until } from '@repo/testing/until';
import { expect, test } from 'vitest';
import { startProgram, TRIAL_KEY, TRIAL_TOKEN } from './sms-kill-trial/processes.ts';

test('an event that was under way when its process was killed is delivered by the next one, with the same id', async () => {
  await using database = await createTestDatabase();
  await using app = await startApp();
  const start = () =>
    startProgram({
      path: 'apps/mpesa/src/main.ts',
      parameters: [],
      environment: {
        DATABASE_URL: database.url,
        API_KEY: TRIAL_KEY,
        MPESA_CALLBACK_TOKEN: TRIAL_TOKEN,
        MPESA_PORT: '0',
        MPESA_SOURCE_CHECK: 'off',
        WEBHOOK_KEY: 'a-key-of-the-trial-of-32-characters',
      },
    });
  const first = start();
  let next: ReturnType<typeof start> | null = null;
  try {
    const url = await first.url;
    const registered = await fetch(`${url}/webhooks`, {
      method: 'POST',
      headers: { authorization: `Bearer ${TRIAL_KEY}`, 'content-type': 'application/json' },
      body: JSON.stringify({ url: app.url, events: ['deposit.credited'] }),
    });
    expect(registered.status).toBe(201);
    await pay({ databaseUrl: database.url, url });
    // The app has the message, and the process waits for an answer that it will not live to note.
    const [received] = await app.untilCame(1);
    await first.kill();
    expect(await statesOf(database)).toEqual([{ status: 'PENDING', attempts: 1 }]);
    app.answerFromNowOn();
    next = start();
    expect(await next.url).not.toBe('');
    // Nobody waits for the minute that the killed process had.
    await database.query(
      `BEGIN; SELECT set_config('daftari.door', 'open', true);
       UPDATE services.webhook_deliveries SET due_at = now() AT TIME ZONE 'UTC'; COMMIT`,
    );
    expect(await app.untilCame(2)).toEqual([received, received]);
    await until('the delivery to be noted', () => statesOf(database), {
      isFit: ([delivery]) => delivery?.['status'] === 'DELIVERED',
    });
    expect(await statesOf(database)).toEqual([{ status: 'DELIVERED', attempts: 2 }]);
    expect(app.received()).toHaveLength(2);
  } finally {
    await first.kill();
    await next?.stop();
  }
});

interface Received {
  readonly id: string;
  readonly body: string;
}

/** A customer's app that takes messages, and answers none of them until it is told to. */
async function startApp() {
  const received: Received[] = [];
  let isAnswering = false;
  const server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      received.push({
        id: String(request.headers['webhook-id']),
        body: Buffer.concat(chunks).toString('utf8'),
      });
      if (isAnswering) response.writeHead(204).end();
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${String(port)}/events`,
    received: () => received,
    answerFromNowOn: () => {
      isAnswering = true;
    },
    untilCame: (count: number) =>
      until(`${String(count)} messages`, () => Promise.resolve(received), {
        isFit: (all) => all.length >= count,
        show: (all) => all.length,
      }),
    [Symbol.asyncDispose]: async () => {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

async function pay({ databaseUrl, url }: { readonly databaseUrl: string; readonly url: string }) {
  const db = createDb({ url: databaseUrl, maxConnections: 1 });
  const { number } = await openWallet(db, { holderName: 'Amina Otieno', phone: '254700000126' });
  await db.close();
  const target = openTarget({ url, token: TRIAL_TOKEN });
  try {
    const payment = createPayment(createRandom('webhook-kill.test'), { account: number });
    expect(await sendConfirmation(target, confirmationOf(payment))).toMatchObject({ accepted: true });
  } finally {
    await target.pool.destroy();
  }
}

function statesOf(database: { query(sql: string): Promise<Record<string, unknown>[]> }) {
  return database.query('SELECT status, attempts FROM services.webhook_deliveries');
}
