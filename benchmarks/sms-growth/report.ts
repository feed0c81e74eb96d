import { PLANNED_LIMIT } from './claim-plan.ts';
import type { ClaimPlan } from './claim-plan.ts';
import type { Step } from './steps.ts';
import { chart, rounded, table, whole } from '../lib/markdown.ts';
import type { Column } from '../lib/markdown.ts';
import type { Calls, TableState } from './table-state.ts';

/** How a claim was carried out, and when. */
export interface PlannedClaim {
  readonly when: string;
  readonly plan: ClaimPlan;
}

export interface Growth {
  readonly messages: number;
  readonly oldRows: number;
  readonly slots: number;
  /** Before the first message was sent. */
  readonly before: TableState;
  readonly steps: readonly Step[];
  readonly plans: readonly PlannedClaim[];
  /** Processes that wanted to run, over the last minute of sending. */
  readonly loadAfter: number;
}

/** What the template of `sms-growth.md` asks for. */
export function growthValues(growth: Growth) {
  const { oldRows, slots, steps, plans, loadAfter } = growth;
  const trees = plans.map(({ when, plan }) => `${when}:\n\n\`\`\`text\n${plan.lines.join('\n')}\n\`\`\``);
  return {
    headline: headline(growth),
    charts: drawGrowth(steps),
    sending: sendingTable(growth),
    sizes: sizeTable(growth),
    'planned limit': whole(PLANNED_LIMIT),
    plans: [planTable(plans), ...trees].join('\n\n'),
    'old rows': whole(oldRows),
    slots: whole(slots),
    'load after': rounded(loadAfter),
  };
}

function headline({ oldRows, messages, steps, before }: Growth): string {
  const [first, last] = [steps[0], steps.at(-1)];
  if (last === undefined || first === undefined) return '';
  const claimIndex = ({ sizes }: TableState) => rounded(sizes['sms_logs_claim_idx'] ?? Number.NaN);
  return `With ${whole(oldRows)} old messages in the table, ${whole(messages)} more were sent: the first ${whole(first.sent)} at ${rounded(first.perSecond)} a second,
the last at **${rounded(last.perSecond)}**. The index that the claim reads has ${claimIndex(last.table)} MiB at the end (${claimIndex(before)} before), and
${whole(last.table.deadRows)} rows are dead. No claim took longer than ${rounded(Math.max(...steps.map(({ claims }) => claims.slowest)))} ms.`;
}

function drawGrowth(steps: readonly Step[]): string {
  const compact = new Intl.NumberFormat('en', { notation: 'compact' });
  const columns = steps.map(({ sent }) => compact.format(sent));
  const size = (index: string) => steps.map(({ table: { sizes } }) => sizes[index] ?? Number.NaN);
  return [
    chart('Messages per second by messages sent', columns, [
      ['recorded', steps.map(({ perSecond }) => perSecond)],
    ]),
    chart('MiB by messages sent: the table, its primary key, the claim index (top down)', columns, [
      ['table', size('sms_logs')],
      ['primary key', size('sms_logs_pkey')],
      ['claim index', size('sms_logs_claim_idx')],
    ]),
  ].join('\n\n');
}

/** Before the first step nothing was called. */
type Line = Pick<Step, 'sent' | 'table'> & Partial<Step>;

function sendingTable({ before, steps }: Growth): string {
  const lines: readonly Line[] = [{ sent: 0, table: before }, ...steps];
  const fact = (calls: Calls | undefined, pick: (calls: Calls) => number) =>
    rounded(calls === undefined ? Number.NaN : pick(calls));
  const times = (of: (line: Line) => Calls | undefined): Column<Line>[] => [
    ['mean ms', (line) => fact(of(line), ({ mean }) => mean)],
    ['slowest ms', (line) => fact(of(line), ({ slowest }) => slowest)],
  ];
  return table(lines, [
    ['sent', ({ sent }) => whole(sent)],
    ['per second', ({ perSecond }) => rounded(perSecond ?? Number.NaN)],
    ['live rows', ({ table: { liveRows } }) => whole(liveRows)],
    ['dead rows', ({ table: { deadRows } }) => whole(deadRows)],
    ['autovacuum runs', ({ table: { vacuums } }) => whole(vacuums)],
    // Each claim has one row about itself.
    ['a claim', ({ claims }) => fact(claims, ({ rows, calls }) => rows / calls - 1)],
    ...times(({ claims }) => claims),
    ['a record', ({ settlements }) => fact(settlements, ({ rows, calls }) => rows / calls)],
    ...times(({ settlements }) => settlements),
  ]);
}

function sizeTable({ before, steps, messages }: Growth): string {
  const last = steps.at(-1)?.table ?? before;
  const mib = (state: TableState, name: string) => state.sizes[name] ?? 0;
  const added = (name: string) => ((mib(last, name) - mib(before, name)) * 2 ** 20) / messages;
  const lines = [
    ...[{ sent: 0, table: before }, ...steps].map(({ sent, table: state }) => ({
      title: whole(sent),
      value: (name: string) => mib(state, name),
    })),
    { title: 'bytes a message', value: added },
  ];
  return table(lines, [
    ['sent', ({ title }) => title],
    ...Object.keys(before.sizes).map((name): Column<(typeof lines)[number]> => {
      return [name.replace(/^(idx_)?sms_logs_/, ''), ({ value }) => rounded(value(name))];
    }),
  ]);
}

function planTable(plans: readonly PlannedClaim[]): string {
  return table(plans, [
    ['when', ({ when }) => when],
    ['rows read', ({ plan }) => whole(plan.rowsRead)],
    ['pages to pick', ({ plan }) => whole(plan.pickPages)],
    ['pages, updates included', ({ plan }) => whole(plan.pages)],
    ['ms', ({ plan }) => rounded(plan.milliseconds)],
  ]);
}
