import { auditLedger, createDb } from '@repo/db';
import { requireRules } from '../audit/audit.ts';
import { auditDeposits } from '../audit/deposits.ts';
import { measureContest } from '../load/contest.ts';
import type { Contest, WayName } from '../load/contest.ts';
import { DEPOSIT_CONTEST } from '../load/deposits.ts';
import { measureFloor } from '../load/floor.ts';
import { measureCeiling } from '../load/raw-sql.ts';
import type { Workbench } from '../load/workbench.ts';
import { BenchmarkError } from '../lib/errors.ts';
import { complaintOf, judge, renderSmoke } from './rules.ts';
import type { SmokeRound } from './rules.ts';

/** As many as fill batches that are worth their round trip. */
const CALLERS = 256;

/** Also the ledger's own audit must find nothing. */
const CONTEST: Contest = {
  ...DEPOSIT_CONTEST,
  async audit(url, kind, known) {
    await auditDeposits(url, kind, known);
    if (kind === 'ledger') await requireClean(url);
  },
};

/** Measures every way to record deposits once. */
export async function measureSmoke(bench: Workbench): Promise<SmokeRound> {
  const samples = await measureContest(CONTEST, CALLERS, bench);
  const rateOf = (name: WayName) => {
    const sample = samples.find(({ way }) => way === name);
    if (sample === undefined || sample.failed > 0) {
      throw new BenchmarkError('not_credited', `${name}: ${JSON.stringify(sample?.errors ?? {})}.`);
    }
    return sample.perSecond;
  };
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
