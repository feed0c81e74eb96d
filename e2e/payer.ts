import { once } from 'node:events';
import { createServer } from 'node:http';
import type { IncomingMessage } from 'node:http';
import { confirmationOf, createPayment, createRandom, openTarget, sendStorm } from '@repo/simulator';
import type { Payment } from '@repo/simulator';

/** A simulated M-PESA that pays when it is told to: `POST /pay {"account", "amount", "copies"?}`. */
export interface Payer {
  readonly url: string;
  close(): Promise<void>;
}

const USAGE = 'POST /pay with {"account": "<wallet number>", "amount": "100.00", "copies": 1}';

export async function startPayer(options: {
  readonly port: number;
  readonly service: string;
  readonly token: string;
}): Promise<Payer> {
  const target = openTarget({ url: options.service, token: options.token });
  const random = createRandom(String(Date.now()));

  async function pay(body: string): Promise<unknown> {
    const { account, amount, copies } = readOrder(body);
    const payment = createPayment(random, { account, ...(amount === null ? {} : { amount }) });
    const answers = await sendStorm([target], confirmationOf(payment), copies);
    return { ...facts(payment), answers: answers.map(({ status }) => status) };
  }

  const server = createServer((request, response) => {
    const answer = (status: number, body: unknown) => {
      response.writeHead(status, { 'content-type': 'application/json' });
      response.end(`${JSON.stringify(body)}\n`);
    };
    if (request.method !== 'POST' || request.url !== '/pay') {
      answer(404, { usage: USAGE });
      return;
    }
    read(request)
      .then(pay)
      .then(
        (paid) => answer(200, paid),
        (error: unknown) =>
          answer(400, { error: error instanceof Error ? error.message : USAGE, usage: USAGE }),
      );
  });
  server.listen(options.port, '127.0.0.1');
  await once(server, 'listening');
  return {
    url: `http://127.0.0.1:${String(options.port)}`,
    async close() {
      server.close();
      server.closeAllConnections();
      await target.close();
    },
  };
}

interface Order {
  readonly account: string;
  readonly amount: string | null;
  readonly copies: number;
}

function readOrder(body: string): Order {
  const order = JSON.parse(body) as { account?: unknown; amount?: unknown; copies?: unknown };
  return {
    account: typeof order.account === 'string' ? order.account : '',
    amount: typeof order.amount === 'string' ? order.amount : null,
    copies: typeof order.copies === 'number' ? Math.min(Math.max(Math.trunc(order.copies), 1), 1_000) : 1,
  };
}

async function read(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks).toString('utf8');
}

function facts({ receipt, account, amount }: Payment) {
  return { receipt, account, amount };
}
