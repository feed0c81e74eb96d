import { auditDatabase } from '../audit/deposits.ts';
import { callerCounts, expectationOf, loadOf, runLoad } from './callers.ts';
import type { Measured } from './callers.ts';
import { measureCeiling } from './ceiling.ts';
import type { Ceiling } from './ceiling.ts';
import { measureLookups } from './lookups.ts';
import type { LookupSample } from './lookups.ts';
import type { Part } from './options.ts';
import { measureService } from './service.ts';
import type { ServiceFigures } from './service.ts';
import { measureSms } from './sms.ts';
import type { SmsSample } from './sms.ts';
import { measureTransfers } from './transfers.ts';
import type { TransferSample } from './transfers.ts';
import { databaseOf, openWay, wayNames } from './ways.ts';
import type { WayName } from './ways.ts';
import { turned } from './workbench.ts';
import type { Turn, Workbench } from './workbench.ts';

/** The largest batch that the intake makes. */
const LARGEST_BATCH = 1_000;

interface WaySample extends Measured {
  readonly way: WayName;
  readonly callers: number;
}

export interface CeilingSample extends Ceiling {
  readonly perSecond: number;
}

/** The parts that were asked for, measured once; the others are empty. */
export interface Round {
  readonly ways: readonly WaySample[];
  readonly ceilings: readonly CeilingSample[];
  readonly transfers: readonly TransferSample[];
  readonly lookups: readonly LookupSample[];
  readonly service: ServiceFigures | null;
  readonly sms: readonly SmsSample[];
}

/**
 * Measures the parts once. What is to be compared is measured in turn, each time in another order, so that
 * whatever else the machine does meanwhile hits all of them alike.
 */
export async function measureRound(bench: Workbench, parts: readonly Part[], turn: Turn): Promise<Round> {
  const deposits = parts.includes('deposits') ? await measureDeposits(bench, turn) : NO_DEPOSITS;
  const transfers = parts.includes('transfers') ? await measureTransfers(bench, turn) : [];
  const lookups = parts.includes('lookups') ? await measureLookups(bench, turn) : [];
  const service = parts.includes('service') ? await measureMpesa(bench, turn) : null;
  const sms = parts.includes('sms') ? await measureSms(bench, turn) : [];
  return { ...deposits, transfers, lookups, service, sms };
}

function measureMpesa(bench: Workbench, { say }: Turn): Promise<ServiceFigures> {
  say('the M-PESA service');
  return measureService(bench);
}

const NO_DEPOSITS = { ways: [], ceilings: [] };

async function measureDeposits(
  bench: Workbench,
  { round, say }: Turn,
): Promise<Pick<Round, 'ways' | 'ceilings'>> {
  const ways: WaySample[] = [];
  const ceilings: CeilingSample[] = [];
  for (const callers of callerCounts) {
    for (const way of turned(wayNames, round)) {
      say(`${way}, ${String(callers)} callers`);
      ways.push(await measureWay(bench, way, callers));
    }
    for (const ceiling of ceilingsFor(callers)) {
      say(`raw SQL, ${ceiling.statements}, ${String(ceiling.batch)} at a time`);
      ceilings.push({ ...ceiling, perSecond: await measureCeiling(bench, ceiling) });
    }
  }
  return { ways, ceilings };
}

async function measureWay(bench: Workbench, name: WayName, callers: number): Promise<WaySample> {
  const { databases, supply, pace } = bench;
  return databases.withFresh(databaseOf(name), async (url) => {
    const way = openWay(name, url);
    let place = 0;
    const record = () => {
      place += 1;
      return way.record(supply.at(place - 1));
    };
    try {
      const measured = await runLoad(record, loadOf(callers, pace));
      await auditDatabase(url, databaseOf(name), expectationOf(measured));
      return { ...measured, way: name, callers };
    } finally {
      await way.close();
    }
  });
}

/** The ceilings to be compared with so many callers: batches as large as they could fill. */
function ceilingsFor(callers: number): Ceiling[] {
  const batch: Ceiling = { statements: 'record_deposits', batch: Math.min(callers, LARGEST_BATCH) };
  return callers === 1 ? [{ statements: 'textbook', batch: 1 }, batch] : [batch];
}
