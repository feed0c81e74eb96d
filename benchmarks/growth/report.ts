import type { ClaimPlan } from './claim-plan.ts';
import { PLANNED_LIMIT } from './claim-plan.ts';
import type { GrowthOptions } from './options.ts';
import type { Step } from './steps.ts';
import type { Machine } from '../lib/machine.ts';
import { chart, paragraph, rounded, table, whole } from '../lib/markdown.ts';
import { renderMachine } from '../report/report.ts';
import type { TableState } from './table-state.ts';

/** How a claim was carried out, and when. */
export interface PlannedClaim {
  readonly when: string;
  readonly plan: ClaimPlan;
}

export interface Growth {
  readonly options: GrowthOptions;
  readonly slots: number;
  /** Before the first message was sent. */
  readonly before: TableState;
  readonly steps: readonly Step[];
  readonly plans: readonly PlannedClaim[];
  /** Processes that wanted to run, over the last minute of sending. */
  readonly loadAfter: number;
}

/** The whole of `sms-growth.md`. */
export function renderGrowth(growth: Growth, machine: Machine, command: string): string {
  return `${[
    '# The SMS outbox after many messages',
    headline(growth),
    drawGrowth(growth),
    `## Sending\n\n${SENDING}\n\n${sendingTable(growth)}`,
    `## Size\n\n${SIZE}\n\n${sizeTable(growth)}`,
    `## The claim\n\n${renderPlans(growth)}`,
    `## How it was measured\n\n${methodOf(growth, command)}`,
    renderMachine(machine),
  ].join('\n\n')}\n`;
}

/** What a terminal shows. */
export function renderGrowthTables(growth: Growth): string {
  return [sendingTable(growth), sizeTable(growth), planTable(growth)].join('\n\n');
}

function drawGrowth({ steps }: Growth): string {
  const compact = new Intl.NumberFormat('en', { notation: 'compact' });
  const columns = steps.map(({ sent }) => compact.format(sent));
  const size = (index: string) => steps.map(({ table: { sizes } }) => sizes[index] ?? Number.NaN);
  return [
    chart('Messages per second by messages sent', columns, [
      { name: 'recorded', values: steps.map(({ perSecond }) => perSecond) },
    ]),
    chart('MiB by messages sent: the table, its primary key, the claim index (top down)', columns, [
      { name: 'table', values: size('sms_logs') },
      { name: 'primary key', values: size('sms_logs_pkey') },
      { name: 'claim index', values: size('sms_logs_claim_idx') },
    ]),
  ].join('\n\n');
}

function headline({ options, steps, before }: Growth): string {
  const { oldRows, messages } = options;
  const last = steps.at(-1);
  const first = steps[0];
  if (last === undefined || first === undefined) return '';
  const claimIndex = last.table.sizes['sms_logs_claim_idx'] ?? Number.NaN;
  return paragraph(
    `With ${whole(oldRows)} old messages in the table, ${whole(messages)} more were sent: the first`,
    `${whole(first.sent)} at ${rounded(first.perSecond)} a second, the last at **${rounded(last.perSecond)}**. The index`,
    `that the claim reads has ${rounded(claimIndex)} MiB at the end (${rounded(before.sizes['sms_logs_claim_idx'] ?? Number.NaN)} before), and`,
    `${whole(last.table.deadRows)} rows are dead. No claim took longer than`,
    `${rounded(Math.max(...steps.map(({ claims }) => claims.slowest)))} ms.`,
  );
}

const SENDING = paragraph(
  'Rows and runs of autovacuum are the server’s own counts at the end of each step; rows are estimates. Claim and record',
  'are the calls of the senders in that step: how many messages each brought on average, the average time, and the',
  'slowest.',
);

function sendingTable({ before, steps }: Growth): string {
  const counts = ({ liveRows, deadRows, vacuums }: TableState) => [
    whole(liveRows),
    whole(deadRows),
    whole(vacuums),
  ];
  const header = ['sent', 'per second', 'live rows', 'dead rows', 'autovacuum runs'];
  return table(
    [...header, 'a claim', 'mean ms', 'slowest ms', 'a record', 'mean ms', 'slowest ms'],
    [
      ['0', '-', ...counts(before), '-', '-', '-', '-', '-', '-'],
      ...steps.map(({ sent, perSecond, table: state, claims, settlements }) => [
        whole(sent),
        rounded(perSecond),
        ...counts(state),
        // Each claim has one row about itself.
        rounded(claims.rows / claims.calls - 1),
        rounded(claims.mean),
        rounded(claims.slowest),
        rounded(settlements.rows / settlements.calls),
        rounded(settlements.mean),
        rounded(settlements.slowest),
      ]),
    ],
  );
}

const SIZE = paragraph(
  'MiB of the table without its indexes, and of each index. What waits is in one index, what is under way in another,',
  'what is of unknown outcome in a third; the rest have an entry for each message that there ever was. The last line is',
  'what a message that was sent has added, in bytes.',
);

function sizeTable({ before, steps, options }: Growth): string {
  const names = Object.keys(before.sizes);
  const line = (sent: string, { sizes }: TableState) => [
    sent,
    ...names.map((name) => rounded(sizes[name] ?? 0)),
  ];
  const last = steps.at(-1)?.table ?? before;
  const added = names.map((name) => {
    const mib = (last.sizes[name] ?? 0) - (before.sizes[name] ?? 0);
    return rounded((mib * 2 ** 20) / options.messages);
  });
  return table(
    ['sent', ...names.map((name) => name.replace(/^sms_logs_/, '').replace(/^idx_sms_logs_/, ''))],
    [
      line('0', before),
      ...steps.map(({ sent, table: state }) => line(whole(sent), state)),
      ['bytes a message', ...added],
    ],
  );
}

function renderPlans(growth: Growth): string {
  const { plans } = growth;
  const [first] = plans;
  const trees = plans.map(({ when, plan }) => `${when}:\n\n\`\`\`text\n${plan.lines.join('\n')}\n\`\`\``);
  const intro = paragraph(
    `One claim of ${whole(PLANNED_LIMIT)} messages, as the server itself says how it carried out the query inside`,
    '`services.claim_sms`. It picks by the index of what waits, and finds the picked rows again by the primary key; a run',
    'in which it reads anything else, or a row more than that, ends with an error and without results.',
  );
  return first === undefined ? intro : [intro, planTable(growth), ...trees].join('\n\n');
}

function planTable({ plans }: Growth): string {
  return table(
    ['when', 'rows read', 'pages to pick', 'pages, updates included', 'ms'],
    plans.map(({ when, plan }) => [
      when,
      whole(plan.rowsRead),
      whole(plan.pickPages),
      whole(plan.pages),
      rounded(plan.milliseconds),
    ]),
  );
}

function methodOf({ slots, options, loadAfter }: Growth, command: string): string {
  return paragraph(
    `\`${command}\`. A fresh database on a server with default settings (and \`pg_stat_statements\`, which knows the`,
    `slowest call). ${whole(options.oldRows)} messages of the past years are added first, while autovacuum is kept away, so`,
    'that the first claim meets a table of which the server knows nothing; then it is analysed. One SMS service with',
    `${whole(slots)} slots sends through a simulated provider that answers at once. Each step’s messages are queued`,
    'together and sent until none is left. At the end the books are compared: nothing twice, nothing lost, the costs the',
    `same to the fourth decimal. Load average at the end: ${rounded(loadAfter)}.`,
  );
}
