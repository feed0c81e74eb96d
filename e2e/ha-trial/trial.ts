import { setTimeout as sleep } from 'node:timers/promises';
import { until } from '@repo/testing/until';
import type { Cluster } from './cluster.ts';
import type { Fault } from './faults.ts';
import type { Load } from './load.ts';
import type { Member } from './member.ts';

/** What one fault did to the payments. */
export interface Event {
  readonly fault: string;
  /** Milliseconds until another node led; null when none did. */
  readonly takeoverMs: number | null;
  /** The longest time without an acknowledgement, in milliseconds. */
  readonly silenceMs: number;
  /** Milliseconds until every node was in step again. */
  readonly wholeMs: number;
}

/** Payments that must come through before the next fault, so that it meets a cluster at work. */
const WARM_UP = 100;

/** Does one fault to the primary of a whole cluster under load, heals it, and waits until the cluster is whole again. */
export async function strike(cluster: Cluster, load: Load, fault: Fault): Promise<Event> {
  const primary = await cluster.untilWhole();
  await load.untilMore(WARM_UP);
  const begun = performance.now();
  await fault.strike(cluster, primary);
  const takeoverMs = await untilTakenOver(cluster, primary, { fault, begun });
  await fault.heal(cluster, primary);
  await cluster.untilWhole();
  const wholeMs = performance.now() - begun;
  await load.untilMore(WARM_UP);
  const silenceMs = longestSilence(load.ledger.times, { from: begun, to: performance.now() });
  return { fault: fault.name, takeoverMs, silenceMs, wholeMs };
}

async function untilTakenOver(
  cluster: Cluster,
  primary: Member,
  { fault, begun }: { readonly fault: Fault; readonly begun: number },
): Promise<number | null> {
  if (!fault.movesPrimary) {
    const now = await cluster.findPrimary();
    return now === null || now === primary ? null : performance.now() - begun;
  }
  await until('another node leads', async () => {
    const now = await cluster.findPrimary();
    return now !== null && now !== primary;
  });
  const takeoverMs = performance.now() - begun;
  await sleep(fault.holdMs);
  return takeoverMs;
}

/** The longest time between two acknowledgements, one of which lies between `from` and `to`. */
export function longestSilence(
  times: readonly number[],
  { from, to }: { readonly from: number; readonly to: number },
): number {
  let longest = 0;
  let last = times.findLast((time) => time <= from) ?? from;
  for (const time of times) {
    if (time <= from) continue;
    if (last >= to) break;
    longest = Math.max(longest, time - last);
    last = time;
  }
  return longest;
}
