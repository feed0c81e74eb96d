/** A payment to a short code, with what the organisation had after it. */
export interface BalancedPayment {
  readonly receipt: string;
  /** When it was paid, in milliseconds; M-PESA tells whole seconds. */
  readonly atMs: number;
  /** More than zero. */
  readonly cents: bigint;
  /** `OrgAccountBalance`; null where the message that told of the payment first does not have it. */
  readonly balance: bigint | null;
}

/** Money that came in between two payments that tell a balance, and that no payment of ours explains. */
export interface BalanceJump {
  readonly after: BalancedPayment;
  readonly before: BalancedPayment;
  /** More than zero: at least so much came in. */
  readonly missing: bigint;
}

/** Payments so near to each other may stand in another order than that of their balances. */
const SLACK_MS = 10_000;

/**
 * Finds where the balance of one short code rises by more than its payments: what came in there was not reported. A fall is
 * no finding, because sweeps and charges send no message; a payment that is missed beside one is told of less or not at all.
 *
 * The payments may come in any order. Those of about the same time are chained by their balances: each begins where another
 * ended.
 */
export function findBalanceJumps(payments: readonly BalancedPayment[]): BalanceJump[] {
  const sorted = payments.toSorted(
    (one, other) => one.atMs - other.atMs || compare(one.receipt, other.receipt),
  );
  const telling = sorted.filter(isTelling);
  let silent = sorted.filter(({ balance }) => balance === null);
  const jumps: BalanceJump[] = [];
  let last: Telling | null = null;
  while (telling.length > 0) {
    const next: Telling = takeNext(telling, last?.balance ?? null);
    const rise = last === null ? 0n : next.balance - next.cents - last.balance;
    if (last !== null && rise > 0n) {
      const explaining = explain(silent, rise, { fromMs: last.atMs, toMs: next.atMs });
      const missing = rise - sumOf(explaining);
      if (missing > 0n) jumps.push({ after: last, before: next, missing });
      silent = silent.filter((each) => !explaining.has(each));
    }
    // What is older than a payment is in the balance of that payment.
    const { atMs } = next;
    if ((silent[0]?.atMs ?? Infinity) < atMs - SLACK_MS) {
      silent = silent.filter((each) => each.atMs >= atMs - SLACK_MS);
    }
    last = next;
  }
  return jumps;
}

type Telling = BalancedPayment & { readonly balance: bigint };

function isTelling(payment: BalancedPayment): payment is Telling {
  return payment.balance !== null;
}

/** Takes the payment out that follows: of those of about the same time the one that begins at the balance. */
function takeNext(telling: Telling[], balance: bigint | null): Telling {
  const [head] = telling;
  if (head === undefined) throw new RangeError('there is one');
  const end = telling.findIndex(({ atMs }) => atMs > head.atMs + SLACK_MS);
  const near = telling.slice(0, end === -1 ? telling.length : end);
  const ends = new Set(near.map((each) => each.balance));
  const following = near.findIndex((each) => each.balance - each.cents === balance);
  if (following >= 0) return telling.splice(following, 1)[0] ?? head;
  // Where none follows, the chain goes on with the lowest of those that follow no other of them.
  const heads = near.filter((each) => !ends.has(each.balance - each.cents));
  const lowest = (heads.length === 0 ? near : heads).reduce((one, other) =>
    other.balance - other.cents < one.balance - one.cents ? other : one,
  );
  telling.splice(telling.indexOf(lowest), 1);
  return lowest;
}

/** Of so many payments all sums are tried. */
const MOST_TRIED = 12;

/**
 * The payments without a balance that explain a rise. Those well between the two moments do; of those near to one of them, which
 * may stand on either side, as many as fit best.
 */
function explain(
  silent: readonly BalancedPayment[],
  rise: bigint,
  { fromMs, toMs }: { readonly fromMs: number; readonly toMs: number },
): ReadonlySet<BalancedPayment> {
  const near = silent.filter(({ atMs }) => atMs >= fromMs - SLACK_MS && atMs <= toMs + SLACK_MS);
  const isBetween = ({ atMs }: BalancedPayment): boolean =>
    atMs > fromMs + SLACK_MS && atMs < toMs - SLACK_MS;
  const between = near.filter(isBetween);
  const rest = rise - sumOf(between);
  const doubtful = near.filter((each) => !isBetween(each)).slice(0, MOST_TRIED);
  return new Set([...between, ...fitting(doubtful, rest)]);
}

/** The payments with the largest sum that is not above the limit. */
function fitting(payments: readonly BalancedPayment[], limit: bigint): readonly BalancedPayment[] {
  let best: { readonly sum: bigint; readonly of: readonly BalancedPayment[] } = { sum: 0n, of: [] };
  for (let choice = 1; choice < 2 ** payments.length && best.sum < limit; choice += 1) {
    const chosen = payments.filter((_, index) => (choice & (1 << index)) !== 0);
    const sum = sumOf(chosen);
    if (sum > best.sum && sum <= limit) best = { sum, of: chosen };
  }
  return best.of;
}

function sumOf(payments: Iterable<BalancedPayment>): bigint {
  let sum = 0n;
  for (const { cents } of payments) sum += cents;
  return sum;
}

function compare(one: string, other: string): number {
  return one < other ? -1 : one > other ? 1 : 0;
}
