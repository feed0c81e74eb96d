import { CALLER_COUNTS } from './callers.ts';
import { measureCeiling } from './ceiling.ts';
import type { Ceiling } from './ceiling.ts';
import { measureContest } from './contest.ts';
import type { Contest, Sample } from './contest.ts';
import { DEPOSIT_CONTEST } from './deposits.ts';
import { LOOKUP_CALLER_COUNTS, LOOKUP_CONTEST } from './lookups.ts';
import type { Part } from './options.ts';
import { measureService } from './service.ts';
import type { ServiceFigures } from './service.ts';
import { measureSms } from './sms.ts';
import type { SmsSample } from './sms.ts';
import { transferContests } from './transfers.ts';
import type { Turn, Workbench } from './workbench.ts';

/** The largest batch that the intake makes. */
const LARGEST_BATCH = 1_000;

interface CeilingSample extends Ceiling {
  readonly perSecond: number;
}

/** The parts that were asked for, measured once; the others are empty. */
export interface Round {
  readonly samples: readonly Sample[];
  readonly ceilings: readonly CeilingSample[];
  readonly service: ServiceFigures | null;
  readonly sms: readonly SmsSample[];
}

/**
 * Measures the parts once. What is to be compared is measured in turn, each time in another order, so that
 * whatever else the machine does meanwhile hits all of them alike.
 */
export async function measureRound(bench: Workbench, parts: readonly Part[], turn: Turn): Promise<Round> {
  const samples: Sample[] = [];
  const ceilings: CeilingSample[] = [];
  const compare = async (contests: readonly Contest[], callers: number) => {
    for (const contest of contests)
      samples.push(...(await measureContest(contest, callers, { bench, turn })));
  };
  for (const callers of parts.includes('deposits') ? CALLER_COUNTS : []) {
    await compare([DEPOSIT_CONTEST], callers);
    for (const ceiling of ceilingsFor(callers)) {
      turn.say(`raw SQL, ${ceiling.statements}, ${String(ceiling.batch)} at a time`);
      ceilings.push({ ...ceiling, perSecond: await measureCeiling(bench, ceiling) });
    }
  }
  for (const callers of parts.includes('transfers') ? CALLER_COUNTS : []) {
    await compare(transferContests, callers);
  }
  for (const callers of parts.includes('lookups') ? LOOKUP_CALLER_COUNTS : []) {
    await compare([LOOKUP_CONTEST], callers);
  }
  if (parts.includes('service')) turn.say('the M-PESA service');
  const service = parts.includes('service') ? await measureService(bench) : null;
  const sms = parts.includes('sms') ? await measureSms(bench, turn) : [];
  return { samples, ceilings, service, sms };
}

/** The ceilings to be compared with so many callers: batches as large as they could fill. */
function ceilingsFor(callers: number): Ceiling[] {
  const batch: Ceiling = { statements: 'record_deposits', batch: Math.min(callers, LARGEST_BATCH) };
  return callers === 1 ? [{ statements: 'textbook', batch: 1 }, batch] : [batch];
}
