import fc from 'fast-check';
import { expect, test } from 'vitest';
import { formatCents } from '../money.ts';
import { ledgerFaults } from '../testing/ledger/faults.ts';
import { post } from '../testing/database/post.ts';
import type { Posted, Posting } from '../testing/database/post.ts';
import { applyPostings, groupsOf } from '../testing/ledger/posting-model.ts';
import type { ModelLedger, ModelWallet } from '../testing/ledger/posting-model.ts';
import { newReceipt } from '../testing/deposits/sample-deposit.ts';
import { useTestDb } from '../testing/database/test-db.ts';
import type { Sql } from '../testing/database/test-db.ts';
import { openCustomer, setGuarded, setStatus } from '../testing/database/wallet-fixtures.ts';

const database = useTestDb();

const FLOAT = 'MPESA-FLOAT';

/** Something ordinary most of the time, so that most of what is tried can succeed, and else something odd. */
function mostly<Value>(usual: fc.Arbitrary<Value>, ...odd: Value[]): fc.Arbitrary<Value> {
  return fc.oneof({ weight: 9, arbitrary: usual }, { weight: 1, arbitrary: fc.constantFrom(...odd) });
}

/** A wallet as a test begins with it; sums in cents. */
const walletKinds = fc.record({
  opening: fc.nat(200),
  held: fc.constantFrom(0, 0, 50),
  floor: fc.constantFrom(0, 0, 50, -200),
  status: mostly(fc.constant('ACTIVE'), 'FROZEN', 'CLOSED'),
  currency: mostly(fc.constant('KES'), 'UGX'),
});
type WalletKind = typeof walletKinds extends fc.Arbitrary<infer Kind> ? Kind : never;

/** Wallets are named by place; -1 is the float, and 99 is nobody. */
const places = mostly(fc.nat(4), -1, 99);
const leg = fc.record({
  reference: mostly(fc.nat(1_000_000), 1, 2, 3),
  from: places,
  to: places,
  fallback: fc.constantFrom(null, null, 0, 1, 99),
  cents: mostly(fc.integer({ min: 1, max: 120 }), -1, 0, 300),
  // Few keys and fewer requests, so that both come again.
  key: fc.option(fc.nat(6), { freq: 2 }),
  digest: fc.constantFrom('one', 'one', 'two'),
});
/** One posting, or up to three that are created together or not at all. */
const newSteps = fc.array(
  fc.oneof(
    leg.map((one) => [one]),
    fc.array(leg, { minLength: 2, maxLength: 3, size: 'max' }),
  ),
  { minLength: 10, maxLength: 20, size: 'max' },
);
/** Steps, some of them repeated at the end. */
const steps = fc
  .tuple(newSteps, fc.array(fc.nat(19), { maxLength: 8, size: 'max' }))
  .map(([all, again]) => [...all, ...again.flatMap((i) => all.slice(i, i + 1))]);
type Step = typeof steps extends fc.Arbitrary<(infer One)[]> ? One : never;

async function openAll(kinds: readonly WalletKind[]): Promise<string[]> {
  const numbers: string[] = [];
  for (const { opening, held, floor, status, currency } of kinds) {
    const number = await openCustomer(database.db);
    const amount = formatCents(BigInt(opening + 100));
    await post(database.sql, [{ reference: newReceipt(), from: FLOAT, to: number, amount }]);
    const columns = { held: formatCents(BigInt(held)), floor: formatCents(BigInt(floor)), currency };
    await setGuarded(database.sql, number, columns);
    await setStatus(database.sql, number, status);
    numbers.push(number);
  }
  return numbers;
}

async function modelOf(sql: Sql, numbers: readonly string[]): Promise<ModelLedger> {
  const rows = await sql(
    `SELECT id, (balance * 100)::bigint::text AS balance, (held * 100)::bigint::text AS held,
            (min_balance * 100)::bigint::text AS floor, status, currency::text AS currency
       FROM core.wallets WHERE id = ANY ($1) OR id = $2`,
    [numbers, FLOAT],
  );
  const wallets = rows.map((row): [string, ModelWallet] => [
    String(row['id']),
    {
      balance: BigInt(String(row['balance'])),
      held: BigInt(String(row['held'])),
      floor: typeof row['floor'] === 'string' ? BigInt(row['floor']) : null,
      status: String(row['status']),
      currency: String(row['currency']),
    },
  ]);
  return { wallets: new Map(wallets), recorded: new Map(), keys: new Map() };
}

function postingsOf(all: readonly Step[], numbers: readonly string[], prefix: string): Posting[] {
  const name = (place: number) => (place === -1 ? FLOAT : (numbers[place] ?? 'NOBODY'));
  return all.flatMap((legs, i) =>
    legs.map((step) => ({
      reference: `${prefix}-${step.reference}`,
      from: name(step.from),
      to: name(step.to),
      fallback: step.fallback === null ? null : name(step.fallback),
      amount: formatCents(BigInt(step.cents)),
      key: step.key === null ? null : `${prefix}-${step.key}`,
      digest: step.key === null ? null : step.digest,
      group: legs.length === 1 ? null : i,
    })),
  );
}

/** What both ways must agree on: the float moves with everybody else's money and is left out. */
function answerOf({ outcome, reason }: Posted): string {
  return `${outcome} ${reason ?? ''}`;
}

test('a batch does what the postings would do one after the other, and both do what the model says', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(walletKinds, { minLength: 5, maxLength: 5 }), steps, async (kinds, all) => {
      const [together, apart] = [await openAll(kinds), await openAll(kinds)];
      const model = await modelOf(database.sql, together);
      const batch = postingsOf(all, together, newReceipt());
      const expected = applyPostings(model, batch);

      expect(await post(database.sql, batch)).toEqual(expected);
      const singles: Posted[] = [];
      for (const group of groupsOf(postingsOf(all, apart, newReceipt()))) {
        singles.push(...(await post(database.sql, group)));
      }
      expect(singles.map(answerOf)).toEqual(expected.map(answerOf));

      const balances = async (numbers: readonly string[]) => {
        const after = await modelOf(database.sql, numbers);
        return numbers.map((number) => after.wallets.get(number)?.balance);
      };
      const modelled = together.map((number) => model.wallets.get(number)?.balance);
      expect(await balances(together)).toEqual(modelled);
      expect(await balances(apart)).toEqual(modelled);
    }),
    { numRuns: 60, interruptAfterTimeLimit: 30_000 },
  );
  expect(await ledgerFaults(database.sql)).toEqual([]);
});
