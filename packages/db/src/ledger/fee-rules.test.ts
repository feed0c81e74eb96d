import fc from 'fast-check';
import { expect, test } from 'vitest';
import { createDb } from '../connection/db.ts';
import { quoteFee } from './fee-quotes.ts';
import { listFeeRules } from './fee-rule-list.ts';
import { endFeeRule, setFeeRule } from './fee-rules.ts';
import type { FeeRule, NewFeeRule } from './fee-rules.ts';
import { auditLedger } from '../audit/audit-ledger.ts';
import { refusalOf } from '../testing/ledger/refusal.ts';
import { newKey, sampleTransfer } from '../testing/ledger/requests.ts';
import { untilWaiting } from '../testing/database/lock-waiters.ts';
import { connect, useTestDb, valueOf } from '../testing/database/test-db.ts';
import { openCustomer, openFunded } from '../testing/database/wallet-fixtures.ts';
import { transaction } from '../connection/transaction.ts';
import { transfer } from './transfers.ts';

const database = useTestDb();
const { sql } = database;

const HOUR = 3_600_000;
const soon = Date.now() + HOUR;
const inHours = (hours: number) => new Date(soon + hours * HOUR);

let bounds = 0;

/** A lower bound that no other test of this file uses: rules with different ones do not touch each other. */
function newBound(): string {
  bounds += 1;
  return `${String(1_000_000 + bounds)}.00`;
}

const newRule = (facts: Partial<NewFeeRule>): NewFeeRule => ({
  type: 'TRANSFER',
  flat: '1.00',
  by: 'finance',
  reason: 'a test',
  idempotencyKey: newKey(),
  ...facts,
});

const set = (facts: Partial<NewFeeRule>) => setFeeRule(database.db, newRule(facts));
const end = (id: string, at?: Date) =>
  endFeeRule(database.db, { id, by: 'finance', reason: 'a test', ...(at && { at }) });
const viewOf = async (id: string) =>
  (await listFeeRules(database.db, { isAll: true })).find((rule) => rule.id === id);
const feeAt = async (amount: string, at?: Date) =>
  (await quoteFee(database.db, { type: 'TRANSFER', amount, ...(at && { at }) })).fee;

test('a rule holds from the moment at which it is set, and is charged', async () => {
  const minAmount = newBound();
  const rule = await set({ minAmount, flat: '2', rate: '0.00015', payer: 'RECEIVER' });
  expect(rule).toMatchObject({
    type: 'TRANSFER',
    currency: 'KES',
    minAmount,
    flat: '2.00',
    rate: '0.000150',
    payer: 'RECEIVER',
    validUntil: null,
    replayed: false,
  });
  const from = await openFunded(database, minAmount);
  const to = await openCustomer(database.db);
  const posted = await transfer(database.db, sampleTransfer({ from, to, amount: minAmount }));
  expect(posted.fee).toBe((await quoteFee(database.db, { type: 'TRANSFER', amount: minAmount })).fee);
  expect(await quoteFee(database.db, { type: 'TRANSFER', amount: minAmount })).toMatchObject({
    payer: 'RECEIVER',
    ruleId: rule.id,
    total: minAmount,
  });
});

test('a rule that is set in a transaction is charged in it', async () => {
  const minAmount = newBound();
  const [from, to] = [await openFunded(database, '1100000.00'), await openCustomer(database.db)];
  const posted = await transaction(database.db, async (tx) => {
    await setFeeRule(tx, newRule({ minAmount, flat: '7.00' }));
    return transfer(tx, sampleTransfer({ from, to, amount: minAmount }));
  });
  expect(posted.fee).toBe('7.00');
});

test('a new rule takes the place of the one before it, and both say so', async () => {
  const minAmount = newBound();
  const old = await set({ minAmount });
  const next = await set({
    minAmount,
    flat: '5.00',
    validFrom: inHours(2),
    by: 'the board',
    reason: 'dearer',
  });
  expect(await feeAt(minAmount)).toBe('1.00');
  expect(await feeAt(minAmount, new Date(inHours(2).getTime() - 1))).toBe('1.00');
  expect(await feeAt(minAmount, inHours(2))).toBe('5.00');
  expect(await viewOf(old.id)).toMatchObject({
    validUntil: inHours(2),
    history: [
      { kind: 'SET', validUntil: null, by: 'finance', reason: 'a test' },
      { kind: 'REPLACED', validUntil: inHours(2), by: 'the board', reason: 'dearer' },
    ],
  });
  expect((await viewOf(next.id))?.history).toMatchObject([{ kind: 'SET', by: 'the board' }]);
});

test('a planned rule that is ended before it begins leaves what was there', async () => {
  const minAmount = newBound();
  const old = await set({ minAmount });
  const planned = await set({ minAmount, flat: '5.00', validFrom: inHours(2) });
  const ended = await end(planned.id);
  expect(ended.validUntil).toEqual(ended.validFrom);
  expect(await feeAt(minAmount, inHours(3))).toBe('1.00');
  const view = await viewOf(old.id);
  expect(view?.validUntil).toBeNull();
  expect(view?.history.map(({ kind }) => kind)).toEqual(['SET', 'REPLACED', 'RESTORED']);
});

test('an ended rule charges nothing any more, and saying so again answers the same', async () => {
  const minAmount = newBound();
  const { id } = await set({ minAmount });
  const ended = await end(id);
  expect((await quoteFee(database.db, { type: 'TRANSFER', amount: minAmount })).ruleId).not.toBe(id);
  expect(await end(id)).toEqual(ended);
  expect((await viewOf(id))?.history.length).toBe(2);
  expect(await refusalOf(end(id, inHours(1)))).toBe('fee_rule_ended');
});

test('a rule may end later, earlier than that, and then no later', async () => {
  const { id } = await set({ minAmount: newBound() });
  expect((await end(id, inHours(3))).validUntil).toEqual(inHours(3));
  expect((await end(id, inHours(3))).validUntil).toEqual(inHours(3));
  expect((await end(id, inHours(2))).validUntil).toEqual(inHours(2));
  expect(await refusalOf(end(id, inHours(3)))).toBe('fee_rule_ended');
});

test('what was charged stays as it was: nothing begins or ends in the past', async () => {
  const past = new Date(Date.now() - HOUR);
  expect(await refusalOf(set({ minAmount: newBound(), validFrom: past }))).toBe('time_passed');
  expect(await refusalOf(set({ minAmount: newBound(), validUntil: past }))).toBe('time_passed');
  const backwards = { minAmount: newBound(), validFrom: inHours(2), validUntil: inHours(2) };
  expect(await refusalOf(set(backwards))).toBe('time_passed');
  const { id } = await set({ minAmount: newBound() });
  expect(await refusalOf(end(id, past))).toBe('time_passed');
});

test('no rule begins while another one is set to hold', async () => {
  const minAmount = newBound();
  await set({ minAmount, validFrom: inHours(5) });
  expect(await refusalOf(set({ minAmount, validFrom: inHours(2) }))).toBe('fee_rule_planned');
  expect(await refusalOf(set({ minAmount, validFrom: inHours(5) }))).toBe('fee_rule_planned');
  const until = await set({ minAmount, validFrom: inHours(2), validUntil: inHours(5) });
  expect(until.validUntil).toEqual(inHours(5));
});

test('a key sets one rule, answers it as it was set, and is no key for another', async () => {
  const request = newRule({ minAmount: newBound() });
  const first = await setFeeRule(database.db, request);
  await end(first.id, inHours(1));
  expect(await setFeeRule(database.db, request)).toEqual({ ...first, replayed: true });
  expect(await refusalOf(setFeeRule(database.db, { ...request, flat: '2.00' }))).toBe('key_reused');
  const refused = newRule({ validFrom: new Date(0) });
  expect(await refusalOf(setFeeRule(database.db, refused))).toBe('time_passed');
  expect(await refusalOf(setFeeRule(database.db, refused))).toBe('time_passed');
});

test.for([
  ['type', { type: 'DEPOSIT' as 'TRANSFER' }],
  ['payer', { payer: 'NOBODY' as 'SENDER' }],
  ['currency', { currency: 'kes' }],
  ['rate', { rate: '1' }],
  ['rate', { rate: '-0.1' }],
  ['rate', { rate: '0.0000001' }],
  ['flat', { flat: '-1.00' }],
  ['flat', { flat: '0.001' }],
  ['minAmount', { minAmount: '1e3' }],
  ['validFrom', { validFrom: new Date(Number.NaN) }],
  ['by', { by: '' }],
  ['reason', { reason: '' }],
] as const)('a rule whose %s is wrong is refused and spends no key', async ([field, facts]) => {
  const request = newRule(facts);
  await expect(setFeeRule(database.db, request)).rejects.toMatchObject({ code: 'invalid_request', field });
  const spent = 'SELECT count(*)::integer FROM core.requests WHERE idempotency_key = $1';
  expect(await valueOf(sql, spent, [request.idempotencyKey])).toBe(0);
});

test('a rule that does not exist is not ended', async () => {
  expect(await refusalOf(end('00000000-0000-7000-8000-000000000000'))).toBe('unknown_fee_rule');
  expect(await refusalOf(end('no-uuid'))).toBe('unknown_fee_rule');
});

test('of those who set a rule for one place at once, each ends the one before', async () => {
  const minAmount = newBound();
  const dbs = Array.from({ length: 5 }, () => createDb({ url: database.url, maxConnections: 1 }));
  const holder = await connect(database.url);
  try {
    await holder.query('BEGIN');
    await holder.query('LOCK TABLE core.fee_rules IN EXCLUSIVE MODE');
    const all = Promise.all(dbs.map((db) => setFeeRule(db, newRule({ minAmount }))));
    await untilWaiting(database.url, dbs.length);
    await holder.query('COMMIT');
    await all;
  } finally {
    await holder.end();
    await Promise.all(dbs.map((db) => db.close()));
  }
  const rules = (await listFeeRules(database.db, { isAll: true })).filter(
    (rule) => rule.minAmount === minAmount,
  );
  expect(rules.map(({ validUntil }) => validUntil)).toEqual([
    ...rules.slice(1).map(({ validFrom }) => validFrom),
    null,
  ]);
});

test('rules change through their functions only, and their history never', async () => {
  const { id } = await set({ minAmount: newBound() });
  for (const text of [
    `INSERT INTO core.fee_rules (transaction_type) VALUES ('TRANSFER')`,
    `UPDATE core.fee_rules SET flat = 9 WHERE id = '${id}'`,
    `DELETE FROM core.fee_rules WHERE id = '${id}'`,
    `INSERT INTO core.fee_rule_events (rule_id, kind, actor, note) VALUES ('${id}', 'SET', 'me', 'me')`,
  ]) {
    await expect(sql(text)).rejects.toMatchObject({
      code: 'DF003',
      hint: expect.stringContaining('setFeeRule'),
    });
  }
  for (const text of [
    'TRUNCATE core.fee_rules CASCADE',
    'TRUNCATE core.fee_rule_events',
    `UPDATE core.fee_rule_events SET actor = 'me'`,
    'DELETE FROM core.fee_rule_events',
  ]) {
    await expect(sql(text)).rejects.toMatchObject({ code: 'DF001' });
  }
});

test('after a rule was set or ended the door is closed again, also within its transaction', async () => {
  await sql('BEGIN');
  await sql(
    `SELECT core.set_fee_rule($1, 'd', 'TRANSFER', 'KES', 7, 1, 0, 'SENDER', NULL, NULL, 'me', 'why')`,
    [newKey()],
  );
  await sql('SAVEPOINT set');
  await expect(sql('UPDATE core.fee_rules SET flat = 9')).rejects.toMatchObject({ code: 'DF003' });
  await sql('ROLLBACK TO SAVEPOINT set');
  await sql(`SELECT core.end_fee_rule(r.id, NULL, 'me', 'why') FROM core.fee_rules r WHERE r.min_amount = 7`);
  await expect(sql('UPDATE core.fee_rules SET flat = 9')).rejects.toMatchObject({ code: 'DF003' });
  await sql('ROLLBACK');
});

const changes = fc.array(
  fc.oneof(
    fc.record({ from: fc.nat(9), lasts: fc.option(fc.integer({ min: 1, max: 5 })) }),
    fc.record({ ends: fc.nat(9), at: fc.nat(12) }),
  ),
  { minLength: 1, maxLength: 10 },
);

/** Which rule of a place holds in each hour. */
async function coverage(minAmount: string): Promise<(string | null)[]> {
  const hours = Array.from({ length: 16 }, (_, hour) => hour);
  const quotes = await Promise.all(
    hours.map((hour) => quoteFee(database.db, { type: 'TRANSFER', amount: minAmount, at: inHours(hour) })),
  );
  return quotes.map(({ ruleId }) => ruleId);
}

test('whatever is set and ended, one rule holds at a time, its history shows its end, and a plan can be undone', async () => {
  await fc.assert(
    fc.asyncProperty(changes, fc.nat(12), async (all, last) => {
      const minAmount = newBound();
      const rules: FeeRule[] = [];
      for (const change of all) {
        if ('from' in change) {
          const { from, lasts } = change;
          const until = lasts === null ? {} : { validUntil: inHours(from + lasts) };
          const asked = set({ minAmount, validFrom: inHours(from), ...until });
          const made = await asked.catch(() => null);
          if (made !== null) rules.push(made);
        } else {
          const rule = rules[change.ends % Math.max(rules.length, 1)];
          if (rule !== undefined) await end(rule.id, inHours(change.at)).catch(() => null);
        }
      }
      const views = (await listFeeRules(database.db, { isAll: true })).filter(
        (r) => r.minAmount === minAmount,
      );
      for (const { validUntil, history } of views) expect(history.at(-1)?.validUntil).toEqual(validUntil);
      const held = views.filter((r) => r.validUntil === null || r.validUntil > r.validFrom);
      held.forEach((rule, i) => {
        const next = held[i + 1];
        if (next !== undefined)
          expect(rule.validUntil?.getTime()).toBeLessThanOrEqual(next.validFrom.getTime());
      });

      const before = await coverage(minAmount);
      const planned = await set({ minAmount, validFrom: inHours(last) }).catch(() => null);
      if (planned !== null) await end(planned.id);
      expect(await coverage(minAmount)).toEqual(before);
    }),
    { numRuns: 30 },
  );
});

test('after all of this the audit finds its requests', async () => {
  const { checks } = await auditLedger(database.db);
  expect(checks.find(({ name }) => name === 'requests')).toMatchObject({ faults: 0 });
});
