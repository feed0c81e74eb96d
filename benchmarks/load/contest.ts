import type { DatabaseKind } from '../data/databases.ts';
import type { Expectation } from '../audit/audit.ts';
import { loadOf, runLoad } from './callers.ts';
import type { Measured } from './callers.ts';
import type { Turn, Workbench } from './workbench.ts';

/** What several ways to do the same are compared at. `pairs` and `hot` are the two routes of transfers. */
export type Subject = 'deposits' | 'pairs' | 'hot' | 'lookups';

/** One way to do it, on an open database. */
export interface Way {
  /** Resolves when it is done. Places count the calls from 0 on, so that every way gets the same requests. */
  call(place: number): Promise<void>;
  close(): Promise<void>;
}

export interface Contestant {
  readonly way: 'textbook' | 'call' | 'intake' | 'told' | 'raw' | 'package';
  readonly database: DatabaseKind;
  readonly open: (url: string, bench: Workbench) => Way;
}

export type WayName = Contestant['way'];

export interface Contest {
  readonly subject: Subject;
  readonly contestants: readonly Contestant[];
  /** Compares the database with what the callers know; throws when they differ. */
  readonly audit: (url: string, database: DatabaseKind, expectation: Expectation) => Promise<void>;
}

export interface Sample extends Measured {
  readonly subject: Subject;
  readonly way: WayName;
  readonly callers: number;
}

/** Measures every way with so many callers, each on a fresh database, in an order that changes with the round. */
export async function measureContest(
  contest: Contest,
  callers: number,
  { bench, turn }: { readonly bench: Workbench; readonly turn: Turn },
): Promise<Sample[]> {
  const { subject, contestants, audit } = contest;
  const samples: Sample[] = [];
  for (const { way, database, open } of turned(contestants, turn.round)) {
    turn.say(`${subject}, ${way}, ${String(callers)} callers`);
    const measured = await bench.databases.withFresh(database, async (url) => {
      const opened = open(url, bench);
      try {
        const result = await runLoad(({ place }) => opened.call(place), loadOf(callers, bench.pace));
        await audit(url, database, expectationOf(result));
        return result;
      } finally {
        await opened.close();
      }
    });
    samples.push({ ...measured, subject, way, callers });
  }
  return samples;
}

/** The same items, beginning at another one in each round. */
export function turned<Item>(items: readonly Item[], by: number): Item[] {
  const first = by % items.length;
  return [...items.slice(first), ...items.slice(0, first)];
}

/** What an audit may expect of a database after these calls. */
export function expectationOf({ acknowledged, errors }: Measured): Expectation {
  return { acknowledged, failed: Object.values(errors).reduce((sum, count) => sum + count, 0) };
}
