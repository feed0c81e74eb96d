import { rounded, table, whole } from '../lib/markdown.ts';
import { median } from '../lib/percentiles.ts';
import { settingsText } from '../lib/settings.ts';
import type { Endured, Second } from './load.ts';
import type { ServerState } from '../lib/server-state.ts';

export interface Sustained {
  readonly endured: Endured;
  readonly before: ServerState;
  readonly after: ServerState;
  readonly sizes: readonly { readonly name: string; readonly bytes: number }[];
  /** Processes that wanted to run, over the last minute. */
  readonly loadAfter: number;
}

interface Terms {
  readonly callers: number;
  readonly settings: Readonly<Record<string, string>>;
}

const mean = (values: readonly number[]): number =>
  values.reduce((sum, each) => sum + each, 0) / values.length;

/** What the template of `sustained.md` asks for. */
export function sustainedValues(
  { endured, before, after, sizes, loadAfter }: Sustained,
  { callers, settings }: Terms,
) {
  const { seconds, p99, acknowledged, errors } = endured;
  const rates = seconds.map(({ answers }) => answers);
  const average = mean(rates);
  const worst = Math.min(...rates);
  const slow = rates.filter((rate) => rate < average / 2).length;
  const failures = Object.entries(errors).map(([code, times]) => `${code}: ${whole(times)}`);
  return {
    headline: `${whole(callers)} callers for ${whole(seconds.length)} seconds: **${whole(acknowledged)} deposits**, on average ${rounded(average)} a second; the
worst second has ${whole(worst)} (${rounded(worst / average)} of the mean), and ${whole(slow)} have less than half of the mean. The p99 of all answers is
${whole(p99)} ms; that of single seconds is ${rounded(median(seconds.map((each) => each.p99)))} ms in the median and at most ${rounded(Math.max(...seconds.map((each) => each.p99)))} ms.`,
    minutes: minuteTable(seconds),
    server: `${whole(after.checkpoints - before.checkpoints)} checkpoints began and autovacuum worked ${whole(after.vacuums - before.vacuums)} times on a table;
${rounded((after.walBytes - before.walBytes) / acknowledged)} bytes of log and ${rounded((after.databaseBytes - before.databaseBytes) / acknowledged)} bytes of tables and indexes for each deposit. Load average at the end: ${rounded(loadAfter)}.`,
    failures: failures.length === 0 ? 'No call failed.' : `Calls that failed: ${failures.join(', ')}.`,
    sizes: table(sizes, [
      ['table or index', ({ name }) => name],
      ['MiB', ({ bytes }) => whole(bytes / 2 ** 20)],
      ['bytes a deposit', ({ bytes }) => rounded(bytes / acknowledged)],
    ]),
    settings: settingsText(settings),
  };
}

function minuteTable(seconds: readonly Second[]): string {
  const minutes = [
    ...Map.groupBy(
      seconds.map((each, place) => ({ ...each, minute: Math.floor(place / 60) + 1 })),
      ({ minute }) => minute,
    ),
  ];
  return table(minutes, [
    ['minute', ([minute]) => whole(minute)],
    ['deposits/s', ([, each]) => rounded(mean(each.map(({ answers }) => answers)))],
    ['worst second', ([, each]) => whole(Math.min(...each.map(({ answers }) => answers)))],
    ['median p50, ms', ([, each]) => rounded(median(each.map(({ p50 }) => p50)))],
    ['median p99, ms', ([, each]) => rounded(median(each.map(({ p99 }) => p99)))],
    ['largest p99, ms', ([, each]) => rounded(Math.max(...each.map(({ p99 }) => p99)))],
  ]);
}
