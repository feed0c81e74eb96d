import { renderTable } from '../table.ts';
import type { Outcome } from './audit.ts';
import type { Durability } from './cluster.ts';
import type { Event } from './trial.ts';

/** All that a trial has shown. */
export interface Report {
  readonly durability: Durability;
  readonly nodes: number;
  readonly events: readonly Event[];
  readonly outcome: Outcome;
}

const HEADER = ['fault', 'times', 'taken over', 'takeover, median', 'silence, median', 'silence, longest'];

/** Whether it came out as it must: a control has to lose, or the trial proves nothing. */
export function isRight({ durability, outcome, events }: Report): boolean {
  const { lost, toldAndGone, faults } = outcome;
  if (events.length === 0) return false;
  if (durability !== 'synchronous') return lost + toldAndGone > 0;
  return lost + toldAndGone + faults === 0;
}

/** A table for a terminal, and what it comes to. */
export function renderReport(report: Report): string {
  return [renderTable(HEADER, rowsOf(report.events)), '', ...sentencesOf(report)].join('\n');
}

/** The same as Markdown, with where and when it was measured. */
export function renderMarkdown(report: Report, where: string): string {
  const line = (cells: readonly string[]) => `| ${cells.join(' | ')} |`;
  const rule = line(HEADER.map((_, i) => (i === 0 ? '---' : '---:')));
  const table = [line(HEADER), rule, ...rowsOf(report.events).map(line)].join('\n');
  return [table, sentencesOf(report).join(' '), where].join('\n\n');
}

/** Puts `body` between the two marks of this name, which the text must have. */
export function replaceSection(
  text: string,
  { name, body }: { readonly name: string; readonly body: string },
): string {
  const begin = `<!-- ${name} -->`;
  const end = `<!-- end of ${name} -->`;
  const from = text.indexOf(begin);
  const to = text.indexOf(end);
  if (from < 0 || to < from) throw new RangeError(`the document has no marks ${begin} and ${end}`);
  return `${text.slice(0, from)}${begin}\n\n${body}\n\n${text.slice(to)}`;
}

function rowsOf(events: readonly Event[]): string[][] {
  return [...Map.groupBy(events, ({ fault }) => fault)].map(([fault, group]) => {
    const takeovers = group.flatMap(({ takeoverMs }) => takeoverMs ?? []);
    const silences = group.map(({ silenceMs }) => silenceMs);
    return [
      fault,
      String(group.length),
      String(takeovers.length),
      takeovers.length === 0 ? '-' : seconds(median(takeovers)),
      seconds(median(silences)),
      seconds(Math.max(...silences)),
    ];
  });
}

function sentencesOf({ durability, nodes, outcome }: Report): string[] {
  const { acknowledged, lost, told, toldAndGone, faults, sum } = outcome;
  return [
    `${String(nodes)} nodes, ${durability}.`,
    `${count(acknowledged)} payments were acknowledged, ${count(lost)} of them are lost;`,
    `customers were told of ${count(told)}, ${count(toldAndGone)} of which failover took back;`,
    `db:audit found ${count(faults)} faults, and all balances come to ${sum}.`,
  ];
}

export function median(numbers: readonly number[]): number {
  const sorted = numbers.toSorted((one, other) => one - other);
  const middle = Math.floor(sorted.length / 2);
  const upper = sorted[middle] ?? Number.NaN;
  return sorted.length % 2 === 1 ? upper : (upper + (sorted[middle - 1] ?? Number.NaN)) / 2;
}

function seconds(milliseconds: number): string {
  return `${(milliseconds / 1_000).toFixed(1)} s`;
}

function count(number: number): string {
  return number.toLocaleString('en-US');
}
