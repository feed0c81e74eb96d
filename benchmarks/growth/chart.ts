import { drawPanel } from '../lib/chart-panel.ts';
import type { Line } from '../lib/chart-panel.ts';
import { CHART_STYLE } from '../report/chart.ts';
import type { Growth } from './report.ts';
import type { Step } from './steps.ts';
import { whole } from '../lib/markdown.ts';
import { smsAim } from '../report/sms-summary.ts';

const WIDTH = 900;
const HEIGHT = 330;

/** The chart of `sms-growth.md`: the rate on the left, sizes on the right, both on log scales. */
export function drawGrowth({ steps }: Growth): string {
  const compact = new Intl.NumberFormat('en', { notation: 'compact' });
  // Every other step is named; there is no room for more.
  const columns = steps.map(({ sent }, step) => (step % 2 === 0 ? '' : compact.format(sent)));
  const line = (name: string, title: string, pick: (step: Step) => number | undefined): Line => {
    return { name, title, values: steps.map((step) => drawable(pick(step))) };
  };
  const rate = drawPanel({
    at: { left: 20, top: 0, width: 430, height: HEIGHT },
    title: 'Messages per second',
    note: 'higher is better',
    axis: 'messages sent',
    columns,
    lines: [line('intake', 'recorded', ({ perSecond }) => perSecond)],
    marks: [{ column: columns.length - 1, value: smsAim, title: `aim ${whole(smsAim)}` }],
  });
  const size = drawPanel({
    at: { left: 455, top: 0, width: 440, height: HEIGHT },
    title: 'MiB',
    note: 'the table, its primary key, and the index of what waits',
    axis: 'messages sent',
    columns,
    lines: [
      line('textbook', 'the table', ({ table }) => table.sizes['sms_logs']),
      line('call', 'primary key', ({ table }) => table.sizes['sms_logs_pkey']),
      line('intake', 'claim index', ({ table }) => table.sizes['sms_logs_claim_idx']),
    ],
    marks: [],
  });
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${String(WIDTH)} ${String(HEIGHT)}" width="${String(WIDTH)}" height="${String(HEIGHT)}" role="img" aria-label="Messages per second and sizes of the table and its indexes, by messages sent">
<style>${CHART_STYLE}</style>
<rect class="ground" width="100%" height="100%" rx="8"/>
${rate}
${size}
</svg>
`;
}

function drawable(value: number | undefined): number | null {
  return value !== undefined && value > 0 ? value : null;
}
