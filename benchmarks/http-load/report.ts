import { rounded, table, whole } from '../lib/markdown.ts';
import type { Phase } from './senders.ts';

/** What the template of `http-load.md` asks for. */
export function httpLoadValues(phases: {
  readonly mpesa: readonly Phase[];
  readonly wallet: readonly Phase[];
}) {
  return { mpesa: callbackTable(phases.mpesa), wallet: clientTable(phases.wallet) };
}

function callbackTable(phases: readonly Phase[]): string {
  return table(phases, [
    ['confirmations', ({ name }) => name],
    ['connections', ({ connections }) => whole(connections)],
    ['a second', ({ perSecond }) => rounded(perSecond)],
    ['p50, ms', ({ p50 }) => rounded(p50)],
    ['p99, ms', ({ p99 }) => rounded(p99)],
    ['longest, ms', ({ worst }) => rounded(worst)],
    ['refused or broken', ({ counts }) => whole(othersOf(counts))],
    ['memory, MiB', ({ memory }) => whole(memory)],
    ['processor, µs each', ({ cpu }) => rounded(cpu)],
  ]);
}

function clientTable(phases: readonly Phase[]): string {
  return table(phases, [
    ['transfers', ({ name }) => name],
    ['connections', ({ connections }) => whole(connections)],
    ['done a second', ({ perSecond }) => rounded(perSecond)],
    ['p50, ms', ({ p50 }) => rounded(p50)],
    ['p99, ms', ({ p99 }) => rounded(p99)],
    ['503 a second', ({ refusedPerSecond }) => rounded(refusedPerSecond)],
    ['p99 of 503, ms', ({ refusedP99 }) => rounded(refusedP99)],
    ['memory, MiB', ({ memory }) => whole(memory)],
  ]);
}

/** Answers that were no success, and connections that broke. */
function othersOf(counts: Phase['counts']): number {
  return Object.entries(counts).reduce((sum, [what, times]) => (what.startsWith('2') ? sum : sum + times), 0);
}
