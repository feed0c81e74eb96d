import fc from 'fast-check';
import { formatCents } from '../../money.ts';
import type { Answer, Operation, Payment } from './operations.ts';
import { newReceipt } from '../deposits/sample-deposit.ts';

/** A step, made before its holds and transactions are known: `a`, `b` and `c` choose among those that exist. */
export const steps = fc.record({
  kind: fc.constantFrom(
    'deposit',
    'deposit',
    'transfers',
    'transfers',
    'transfers',
    'hold',
    'hold',
    'capture',
    'capture',
    'release',
    'expire',
    'reverse',
    'reverse',
    'assign',
    'status',
    'again',
    'again',
  ),
  // Few keys, so that they are used again for other requests.
  key: fc.oneof(
    { arbitrary: fc.nat(5), weight: 1 },
    { arbitrary: fc.integer({ min: 6, max: 100_000 }), weight: 5 },
  ),
  a: fc.nat(999),
  b: fc.nat(999),
  c: fc.nat(999),
  cents: fc.integer({ min: 1, max: 7_000 }),
});
export type Step = typeof steps extends fc.Arbitrary<infer One> ? One : never;

const NO_HOLD = '00000000-0000-7000-8000-000000000000';

/** What the connections of one run know of each other. */
export interface World {
  readonly run: string;
  readonly customers: readonly string[];
  readonly holds: string[];
  readonly references: string[];
  readonly receipts: string[];
  readonly asked: Operation[];
}

const choose = <Item>(items: readonly Item[], place: number, otherwise: Item): Item =>
  items[place % Math.max(items.length, 1)] ?? otherwise;

export function operationOf(step: Step, world: World): Operation {
  const { a, b, c, cents } = step;
  const key = `${world.run}-${step.key}`;
  const amount = formatCents(BigInt(cents));
  const customer = (place: number) => choose(place % 20 === 7 ? ['NOBODY'] : world.customers, place, '');
  const target = (place: number) =>
    choose([...world.customers, 'MPESA-FLOAT', 'MPESA-FLOAT', 'NOBODY'], place, '');
  const holdId = choose(a % 20 === 0 ? [] : world.holds.slice(-4), b, NO_HOLD);
  const part = c % 2 === 0 ? null : amount;
  switch (step.kind) {
    case 'deposit': {
      const receipt = a % 6 === 0 ? choose(world.receipts, b, newReceipt()) : newReceipt();
      return { kind: 'deposit', receipt, account: choose([...world.customers, ''], c, ''), amount };
    }
    case 'transfers': {
      const payments: Payment[] = [{ key, from: customer(a), to: customer(b), amount }];
      for (let i = 1; i <= c % 4; i += 1) {
        payments.push({ key: `${key}-${i % 3}`, from: customer(b + i), to: customer(a + i), amount });
      }
      return { kind: 'transfers', payments };
    }
    case 'hold':
      return { kind: 'hold', key, wallet: customer(a), amount, isLate: b % 4 === 0 };
    case 'capture':
      return { kind: 'capture', key, holdId, to: target(a), amount: part };
    case 'release':
      return { kind: 'release', holdId };
    case 'expire':
      return { kind: 'expire', holdId };
    case 'reverse':
      return { kind: 'reverse', key, reference: choose(world.references, a, 'DF-NEVER'), amount: part };
    case 'assign':
      return { kind: 'assign', receipt: choose(world.receipts, a, 'NEVER'), wallet: customer(b) };
    case 'status': {
      const status = choose(['FROZEN', 'ACTIVE', 'ACTIVE', 'CLOSED'] as const, b, 'ACTIVE');
      return { kind: 'status', wallet: customer(a), status };
    }
    case 'again':
    default:
      return choose(world.asked, a, { kind: 'release', holdId });
  }
}

export function learn(operation: Operation, answers: readonly Answer[], world: World): void {
  for (const { reference, id } of answers) {
    if (typeof reference === 'string') world.references.push(reference, `${reference}-F`);
    if (typeof id === 'string') world.holds.push(id);
  }
  if (operation.kind === 'deposit') world.references.push(operation.receipt);
}
