import { auditLedger, createDb } from '@repo/db';
import { requireRules } from '../audit/audit.ts';
import { auditDeposits } from '../audit/deposits.ts';
import { turned, withContestant } from '../load/contest.ts';
import type { Call, Contestant, WayName } from '../load/contest.ts';
import { DEPOSIT_CONTEST } from '../load/deposits.ts';
import { measureFloor } from '../load/floor.ts';
import { measureCeiling } from '../load/raw-sql.ts';
import type { Workbench } from '../load/workbench.ts';
import { BenchmarkError } from '../lib/errors.ts';
import { complaintOf, judge, renderSmoke } from './rules.ts';
import type { SmokeRound } from './rules.ts';

/** As many as fill batches that are worth their round trip. */
const CALLERS = 256;

/** Each is timed while it does this, after one deposit of each caller. */
const WORK = { textbook: 200, call: 400, lane: 3_000, lanes: 3_000 } as const;

/** Measures every way to record deposits once. */
export async function measureSmoke(bench: Workbench): Promise<SmokeRound> {
  const rates = new Map<WayName, number>();
  for (const contestant of turned(DEPOSIT_CONTEST.contestants, bench.round)) {
    bench.say(contestant.way);
    rates.set(contestant.way, await measureWork(contestant, bench));
  }
  const rateOf = (way: keyof typeof WORK) => rates.get(way) ?? Number.NaN;
  bench.say('raw SQL');
  const raw = await measureCeiling(bench, { statements: 'record_deposits', batch: CALLERS });
  bench.say('the floor');
  const floor = await measureFloor(bench, CALLERS);
  return {
    textbook: rateOf('textbook'),
    'one call': rateOf('call'),
    'one lane': rateOf('lane'),
    'all lanes': rateOf('lanes'),
    'raw SQL': raw,
    'the floor': floor,
  };
}

/**
 * Deposits per second of one way while it does its share of work. A window of time would end, on a busy machine, before
 * the first group has its answer.
 */
function measureWork(contestant: Contestant, bench: Workbench): Promise<number> {
  const count = WORK[contestant.way as keyof typeof WORK];
  return withContestant(contestant, bench, async (call, url) => {
    await callAll(call, 0, CALLERS);
    const begun = performance.now();
    await callAll(call, CALLERS, CALLERS + count);
    const seconds = (performance.now() - begun) / 1_000;
    const known = { acknowledged: CALLERS + count, failed: 0 };
    await auditDeposits(url, contestant.database, known);
    if (contestant.database === 'ledger') await requireClean(url);
    return count / seconds;
  });
}

/** Calls for all places from `first` to before `end`, from many callers, each again as soon as it has its answer. */
async function callAll(call: Call, first: number, end: number): Promise<void> {
  let next = first;
  const caller = async () => {
    while (next < end) {
      next += 1;
      await call(next - 1);
    }
  };
  await Promise.all(Array.from({ length: CALLERS }, caller));
}

/**
 * What was measured, for people.
 *
 * @throws BenchmarkError `ratio_wrong` with all of it, and why
 */
export function concludeSmoke(rounds: readonly SmokeRound[]): string {
  const verdicts = judge(rounds);
  const report = renderSmoke(rounds, verdicts);
  const complaints = verdicts.filter(({ holds }) => !holds).map(complaintOf);
  if (complaints.length === 0) return report;
  throw new BenchmarkError('ratio_wrong', `${complaints.join('; ')}.\n\n${report}`);
}

/** Also the ledger's own audit must find nothing. */
async function requireClean(url: string): Promise<void> {
  const db = createDb({ url, maxConnections: 1 });
  try {
    const { checks } = await auditLedger(db);
    const found = checks.filter(({ faults }) => faults > 0).map(({ name }) => name);
    requireRules({ 'the audit finds nothing': found.length === 0 }, { found }, {});
  } finally {
    await db.close();
  }
}
