import { rounded, table, whole } from '../lib/markdown.ts';
import type { Column } from '../lib/markdown.ts';
import { median } from '../lib/percentiles.ts';
import { CPU_USERS } from '../lib/usage.ts';
import type { Round } from '../load/round.ts';
import { SENDINGS } from '../load/sms.ts';
import type { SmsSample } from '../load/sms.ts';
import { aimColumns, figuresOf, waits } from './figures.ts';

/** The aim of every way to send, in messages a second. */
const SMS_AIM = 5_000;

/** The samples of each way to send, a sample a round. */
function sendingsOf(rounds: readonly Round[]): (readonly SmsSample[])[] {
  const samples = rounds.flatMap(({ sms }) => sms);
  return SENDINGS.map(({ senders, delayMs }) =>
    samples.filter((sample) => sample.senders === senders && sample.delayMs === delayMs),
  );
}

const middle = (samples: readonly SmsSample[], pick: (sample: SmsSample) => number): number =>
  median(samples.map(pick));

const SENDING: readonly Column<readonly SmsSample[]>[] = [
  ['the provider takes', ([sample]) => `${whole(sample?.delayMs ?? Number.NaN)} ms`],
  ['senders', ([sample]) => whole(sample?.senders ?? Number.NaN)],
];

export function smsTable(rounds: readonly Round[]): string {
  return table(sendingsOf(rounds), [
    ...SENDING,
    ['slots of each', ([sample]) => whole(sample?.slots ?? Number.NaN)],
    ['claimed/s', (samples) => rounded(middle(samples, ({ claimed }) => claimed))],
    ['accepted/s', (samples) => rounded(middle(samples, ({ accepted }) => accepted))],
    ['recorded/s', (samples) => `**${rounded(figuresOf(samples).perSecond)}**`],
    ['p50 / p99, ms', (samples) => waits(figuresOf(samples))],
  ]);
}

export function smsAimTable(rounds: readonly Round[]): string {
  return table(sendingsOf(rounds), [...SENDING, ...aimColumns(SMS_AIM, figuresOf)]);
}

/** How many cores each kept busy in the window. */
export function coresTable(rounds: readonly Round[]): string {
  const titles = { postgres: 'PostgreSQL', senders: 'senders, together', provider: 'simulator' };
  const cores = CPU_USERS.map((user): Column<readonly SmsSample[]> => {
    const title = { ...titles, machine: 'whole machine' }[user];
    return [title, (samples) => rounded(middle(samples, (sample) => sample.cores[user]))];
  });
  const busy = (samples: readonly SmsSample[]) =>
    middle(samples, ({ cores: { postgres, senders, provider } }) => postgres + senders + provider);
  return table(sendingsOf(rounds), [
    ...SENDING,
    ...cores,
    ['µs a message', (samples) => rounded((busy(samples) / figuresOf(samples).perSecond) * 1_000_000)],
  ]);
}
