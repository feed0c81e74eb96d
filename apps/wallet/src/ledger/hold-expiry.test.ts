import { hold, lookupWallet } from '@repo/db';
import type { Db } from '@repo/db';
import { createServer } from '@repo/http';
import type { FastifyBaseLogger } from 'fastify';
import { expect, test } from 'vitest';
import { startHoldExpiry } from './hold-expiry.ts';
import { endEarly, openCustomer, startTestService } from '../testing.ts';

/** A real logger, and a promise for the first line that holds a text. */
async function openLog(text: string): Promise<{ log: FastifyBaseLogger; written: Promise<string> }> {
  const { promise: written, resolve } = Promise.withResolvers<string>();
  const { app } = await createServer({
    service: 'test',
    description: 'A logger.',
    version: '0.0.0',
    logLevel: 'info',
    logDestination: { write: (line) => line.includes(text) && resolve(line) },
    apiKeys: [],
    readiness: () => Promise.resolve(),
  });
  return { log: app.log, written };
}

test('money of holds whose time is over is given back, and other holds stay', async () => {
  await using service = await startTestService();
  const wallet = await openCustomer(service.db, '100.00');
  const ending = { wallet, amount: '10.00', idempotencyKey: 'over', expiresAt: new Date('2099-01-01') };
  await endEarly(service, (await hold(service.db, ending)).id);
  await hold(service.db, {
    wallet,
    amount: '20.00',
    idempotencyKey: 'later',
    expiresAt: new Date('2099-01-01'),
  });
  await hold(service.db, { wallet, amount: '30.00', idempotencyKey: 'open' });
  const { log, written } = await openLog('holds have expired');
  const expiry = startHoldExpiry(service.db, log, { pauseMs: 5 });
  expect(await written).toContain('"expired":1');
  await expiry.stop();
  expect((await lookupWallet(service.db, wallet))?.held).toBe('50.00');
});

test('a round that fails is logged and the next one does the work', async () => {
  await using service = await startTestService();
  const wallet = await openCustomer(service.db, '100.00');
  const ending = { wallet, amount: '10.00', idempotencyKey: 'over', expiresAt: new Date('2099-01-01') };
  await endEarly(service, (await hold(service.db, ending)).id);
  let failures = 0;
  const flaky: Db = {
    ...service.db,
    run: (statement, values) => {
      if (failures > 0) return service.db.run(statement, values);
      failures += 1;
      // What a statement does that the database does not know: a real error of a real database.
      return service.db.run({ name: 'nothing', text: 'SELECT * FROM core.nothing' }, []);
    },
  };
  const { log, written } = await openLog('holds have expired');
  const expiry = startHoldExpiry(flaky, log, { pauseMs: 5 });
  await written;
  await expiry.stop();
  expect(failures).toBe(1);
  expect((await lookupWallet(service.db, wallet))?.held).toBe('0.00');
});

test('once it is stopped no further round begins', async () => {
  await using service = await startTestService();
  const { promise: firstRound, resolve } = Promise.withResolvers<void>();
  let asked = 0;
  const watched: Db = {
    ...service.db,
    run: (statement, values) => {
      asked += 1;
      resolve();
      return service.db.run(statement, values);
    },
  };
  const { log } = await openLog('nothing');
  const expiry = startHoldExpiry(watched, log, { pauseMs: 1 });
  await firstRound;
  await expiry.stop();
  const before = asked;
  // Work of its own that takes longer than many pauses.
  for (let count = 0; count < 5; count += 1) await lookupWallet(service.db, '1000000000');
  expect(asked).toBe(before);
});

test('a hold that cannot be given back is logged by its id and counted, and the others expire', async () => {
  await using service = await startTestService();
  const place = async (key: string) => {
    const wallet = await openCustomer(service.db, '100.00');
    const expiresAt = new Date('2099-01-01');
    const placed = await hold(service.db, { wallet, amount: '10.00', idempotencyKey: key, expiresAt });
    await endEarly(service, placed.id);
    return { wallet, placed };
  };
  const poisonous = await place('poisonous');
  await service.query(`
    SELECT set_config('daftari.door', 'open', true);
    UPDATE core.wallets SET held = 0 WHERE id = '${poisonous.wallet}'`);
  const sound = await place('sound');
  const { log, written } = await openLog('cannot be given back');
  const { promise: counted, resolve } = Promise.withResolvers<number>();
  const expiry = startHoldExpiry(service.db, log, { pauseMs: 5, onStuck: resolve });
  const line = await written;
  expect(line).toContain(poisonous.placed.id);
  expect(line).not.toContain(poisonous.wallet);
  expect(await counted).toBe(1);
  await expiry.stop();
  expect((await lookupWallet(service.db, sound.wallet))?.held).toBe('0.00');
});
