import { createDb } from '@repo/db';
import type { Db } from '@repo/db';
import type { Expectation } from '../audit/audit.ts';
import type { DatabaseKind } from '../data/databases.ts';
import { runLoad } from './callers.ts';
import type { Measured } from './callers.ts';
import type { Workbench } from './workbench.ts';

/** The connections of every way: what an application has that changes nothing. */
export const CONNECTIONS = 10;

/** Milliseconds, long enough that 2,000 callers of ten connections wait for their turn instead of failing. */
export const PATIENCE = 120_000;

/** What several ways to do the same are compared at. `pairs` and `hot` are the two routes of transfers. */
export type Subject = 'deposits' | 'pairs' | 'hot' | 'lookups';

/** What a way works with: a fresh database. */
export interface Place {
  readonly url: string;
  readonly db: Db;
  readonly bench: Workbench;
  /** Closes, before `db`, what the way has opened. */
  readonly opened: AsyncDisposableStack;
}

/** Resolves when it is done. Places count the calls from 0 on, so that every way gets the same requests. */
export type Call = (place: number) => Promise<void>;

/** One way to do it. */
export interface Contestant {
  readonly way: 'textbook' | 'call' | 'lane' | 'lanes' | 'intake' | 'told' | 'raw' | 'package';
  readonly database: DatabaseKind;
  readonly open: (place: Place) => Call;
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

/** Lends a way on a fresh database, with the connections that all have. */
export function withContestant<Result>(
  { database, open }: Contestant,
  bench: Workbench,
  work: (call: Call, url: string) => Promise<Result>,
): Promise<Result> {
  return bench.databases.withFresh(database, async (url) => {
    await using opened = new AsyncDisposableStack();
    const patience = { connectTimeoutMs: PATIENCE, statementTimeoutMs: PATIENCE };
    const db = createDb({ url, maxConnections: CONNECTIONS, ...patience });
    opened.defer(() => db.close());
    const result = await work(open({ url, db, bench, opened }), url);
    return result;
  });
}

/** Measures every way with so many callers, each on a fresh database, in an order that changes with the round. */
export async function measureContest(
  { subject, contestants, audit }: Contest,
  callers: number,
  bench: Workbench,
): Promise<Sample[]> {
  const { pace, round, say } = bench;
  const window = callers < 2_000 ? pace.window : pace.longWindow;
  const samples: Sample[] = [];
  for (const contestant of turned(contestants, round)) {
    const { way, database } = contestant;
    say(`${subject}, ${way}, ${String(callers)} callers`);
    const measured = await withContestant(contestant, bench, async (call, url) => {
      const result = await runLoad(({ place }) => call(place), { ...pace, callers, window });
      await audit(url, database, result);
      return result;
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
