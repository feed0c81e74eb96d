import { auditDatabase } from './audit.ts';
import { runLoad } from './callers.ts';
import type { Measured } from './callers.ts';
import { measureCeiling } from './ceiling.ts';
import type { Ceiling } from './ceiling.ts';
import type { Databases } from './databases.ts';
import type { Supply } from './deposits.ts';
import type { Pace } from './options.ts';
import type { Progress } from './progress.ts';
import { measureService } from './service-load.ts';
import type { ServiceFigures } from './service-load.ts';
import { databaseOf, openWay, wayNames } from './ways.ts';
import type { WayName } from './ways.ts';

export const callerCounts = [1, 8, 32, 256, 2_000] as const;

/** The largest batch that the intake makes. */
const LARGEST_BATCH = 1_000;

export interface WaySample extends Measured {
  readonly way: WayName;
  readonly callers: number;
}

export interface CeilingSample extends Ceiling {
  readonly perSecond: number;
}

/** Everything measured once. */
export interface Round {
  readonly ways: readonly WaySample[];
  readonly ceilings: readonly CeilingSample[];
  readonly service: ServiceFigures;
}

export interface Bench {
  readonly databases: Databases;
  readonly supply: Supply;
  readonly pace: Pace;
  readonly progress: Progress;
}

/**
 * Measures everything once. What is to be compared is measured in turn, each time in another order, so that
 * whatever else the machine does meanwhile hits all of them alike.
 */
export async function measureRound(
  bench: Bench,
  { round, of }: { round: number; of: number },
): Promise<Round> {
  const say = (what: string) => bench.progress.step(`round ${String(round)} of ${String(of)}: ${what}`);
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
  say('the M-PESA service');
  return { ways, ceilings, service: await measureService(bench) };
}

async function measureWay(bench: Bench, name: WayName, callers: number): Promise<WaySample> {
  const { databases, supply, pace } = bench;
  return databases.withFresh(databaseOf(name), async (url) => {
    const way = openWay(name, url);
    let place = 0;
    const record = () => {
      place += 1;
      return way.record(supply.at(place - 1));
    };
    try {
      const measured = await runLoad(record, {
        callers,
        warmUpMs: pace.warmUp,
        warmUpAtMostMs: pace.warmUpAtMost,
        windowMs: callers < 2_000 ? pace.window : pace.longWindow,
      });
      const failed = Object.values(measured.errors).reduce((sum, count) => sum + count, 0);
      await auditDatabase(url, databaseOf(name), { acknowledged: measured.acknowledged, failed });
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

function turned<Item>(items: readonly Item[], by: number): Item[] {
  const first = by % items.length;
  return [...items.slice(first), ...items.slice(0, first)];
}
