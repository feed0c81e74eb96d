import { measureContest } from './contest.ts';
import type { Contest, Sample } from './contest.ts';
import { DEPOSIT_CONTEST } from './deposits.ts';
import { LOOKUP_CONTEST } from './lookups.ts';
import { measureCeilings } from './raw-sql.ts';
import type { Ceiling } from './raw-sql.ts';
import { measureService } from './service.ts';
import type { ServiceFigures } from './service.ts';
import { measureSms } from './sms.ts';
import type { SmsSample } from './sms.ts';
import { transferContests } from './transfers.ts';
import type { Workbench } from './workbench.ts';

/** What can be measured by itself. */
export const PARTS = ['deposits', 'transfers', 'lookups', 'service', 'sms'] as const;

export type Part = (typeof PARTS)[number];

/** How many callers the contests have. */
const CALLER_COUNTS = [1, 8, 32, 256, 2_000];

const LOOKUP_CALLER_COUNTS = [1, 8, 32, 256];

/** The parts that were asked for, measured once; the others are empty. */
export interface Round {
  readonly samples: readonly Sample[];
  readonly ceilings: readonly Ceiling[];
  readonly service: ServiceFigures | null;
  readonly sms: readonly SmsSample[];
}

/**
 * Measures the parts once. What is to be compared is measured in turn, each time in another order, so that
 * whatever else the machine does meanwhile hits all of them alike.
 */
export async function measureRound(bench: Workbench, parts: readonly Part[]): Promise<Round> {
  const samples: Sample[] = [];
  const ceilings: Ceiling[] = [];
  const compare = async (contest: Contest, callers: number) => {
    samples.push(...(await measureContest(contest, callers, bench)));
  };
  for (const callers of parts.includes('deposits') ? CALLER_COUNTS : []) {
    await compare(DEPOSIT_CONTEST, callers);
    ceilings.push(...(await measureCeilings(bench, callers)));
  }
  for (const callers of parts.includes('transfers') ? CALLER_COUNTS : []) {
    for (const contest of transferContests) await compare(contest, callers);
  }
  for (const callers of parts.includes('lookups') ? LOOKUP_CALLER_COUNTS : []) {
    await compare(LOOKUP_CONTEST, callers);
  }
  const service = parts.includes('service') ? await measureService(bench) : null;
  const sms = parts.includes('sms') ? await measureSms(bench) : [];
  return { samples, ceilings, service, sms };
}
