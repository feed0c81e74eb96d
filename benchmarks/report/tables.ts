import type { WayFigures } from './figures.ts';
import { rounded, table, whole } from '../lib/markdown.ts';
import { aims, figuresOf } from './summary.ts';
import type { Summary } from './summary.ts';

/** The main table: deposits per second, and how many times the textbook's the intake's are. */
export function throughputTable({ byCallers }: Summary): string {
  return table(
    ['callers', 'textbook', 'one call', 'intake', 'intake / textbook', 'in single rounds'],
    byCallers.map(({ callers, ways, ratio }) => [
      whole(callers),
      rounded(ways.textbook.perSecond),
      rounded(ways.call.perSecond),
      `**${rounded(ways.intake.perSecond)}**`,
      `${rounded(ratio.median)} ×`,
      `${rounded(ratio.least)} to ${rounded(ratio.most)} ×`,
    ]),
  );
}

/** Waiting times of the same windows. */
export function latencyTable({ byCallers }: Summary): string {
  const cell = ({ p50, p99 }: WayFigures) => `${rounded(p50)} / ${rounded(p99)}`;
  return table(
    ['callers', 'textbook', 'one call', 'intake'],
    byCallers.map(({ callers, ways }) => [
      whole(callers),
      cell(ways.textbook),
      cell(ways.call),
      cell(ways.intake),
    ]),
  );
}

/** Raw SQL beside what the package makes of it, so that its own cost can be seen. */
export function ceilingTable(summary: Summary): string {
  return table(
    ['statements of one connection', 'deposits at a time', 'deposits/s', 'the package with as many callers'],
    summary.ceilings.map(({ statements, batch, perSecond }) => {
      const isTextbook = statements === 'textbook';
      // The largest batch is what the most callers fill.
      const callers = batch === 1_000 ? 2_000 : batch;
      const reached = figuresOf(summary, isTextbook ? 'textbook' : batch === 1 ? 'call' : 'intake', callers);
      return [
        isTextbook ? 'BEGIN, the textbook’s four, COMMIT' : 'services.record_deposits',
        whole(batch),
        rounded(perSecond),
        `${rounded(reached?.perSecond ?? Number.NaN)} (${whole(callers)})`,
      ];
    }),
  );
}

/** An aim that is missed says so, and by how much. */
export function aimTable(summary: Summary): string {
  return table(
    ['the intake', 'aim', 'measured', 'slowest to fastest round', ''],
    aims.map(({ callers, perSecond }) => {
      const { perSecond: measured, slowest, fastest } = figuresOf(summary, 'intake', callers) ?? NOTHING;
      return [
        `${whole(callers)} callers`,
        whole(perSecond),
        rounded(measured),
        `${rounded(slowest)} to ${rounded(fastest)}`,
        measured >= perSecond ? 'met' : `missed by ${whole(100 - (100 * measured) / perSecond)} %`,
      ];
    }),
  );
}

/** Requests per second and memory of the whole service. */
export function serviceTable({ service }: Summary): string {
  if (service === null) return '';
  return table(
    ['the M-PESA service, 2,000 HTTP callers', ''],
    [
      ['requests per second', rounded(service.perSecond)],
      ['p50 / p99, ms', `${rounded(service.p50)} / ${rounded(service.p99)}`],
      ['memory when ready, MiB', whole(service.readyMiB)],
      ['memory at its peak (worst round), MiB', whole(service.peakMiB)],
      ['memory after a rest, MiB', whole(service.idleMiB)],
    ],
  );
}

/** A sentence when nothing failed, else a table of what did. */
export function errorReport({ errors }: Summary): string {
  const rows = Object.entries(errors).flatMap(([who, counts]) =>
    Object.entries(counts).map(([code, count]) => [who, code, whole(count)]),
  );
  if (rows.length === 0) return 'No call failed, in any round, warm-ups included.';
  return `Calls that failed, in all rounds, warm-ups included:\n\n${table(['by', 'error', 'calls'], rows)}`;
}

const NOTHING = { perSecond: Number.NaN, slowest: Number.NaN, fastest: Number.NaN };

/** What is done for each deposit. */
export function scopeTable(): string {
  const ours = ['yes', 'yes'];
  return table(
    ['for each deposit', 'textbook', 'one call', 'intake'],
    [
      ['log row with the payload, unique by receipt', 'yes', ...ours],
      ['transaction with its verification hash', 'yes', ...ours],
      ['the customer’s balance', 'yes', ...ours],
      ['the float’s balance: double entry, sum zero', 'no', ...ours],
      ['balances after it, and its place in the order of each wallet', 'no', ...ours],
      ['the message as received, in the inbox', 'no', ...ours],
      ['the SMS to the customer, queued', 'no', ...ours],
      ['suspense for unknown, frozen and closed wallets', 'no', ...ours],
      ['a repeated receipt told from a conflicting one', 'no', ...ours],
      ['works on the database as deployed, guards included', 'no', ...ours],
      ['round trips to the database', '6', '1', '1 a batch'],
    ],
  );
}
