import { callerCounts } from '../load/callers.ts';
import { drawPanel } from '../lib/chart-panel.ts';
import type { Line } from '../lib/chart-panel.ts';
import { whole } from '../lib/markdown.ts';
import { aims } from './summary.ts';
import type { WayFigures } from './figures.ts';
import type { CallersSummary, Summary } from './summary.ts';
import { wayNames } from '../load/ways.ts';
import type { WayName } from '../load/ways.ts';

const WIDTH = 900;
const HEIGHT = 430;

const TITLES: Readonly<Record<WayName, string>> = {
  textbook: 'textbook Prisma',
  call: 'one call each',
  intake: 'intake',
};

/** The chart of `results.md`: deposits per second on the left, p99 latency on the right, both on log scales. */
export function drawChart(summary: Summary): string {
  const linesOf = (pick: (figures: WayFigures) => number): Line[] =>
    wayNames.map((way) => ({ name: way, title: TITLES[way], values: valuesOf(summary, way, pick) }));
  const columns = callerCounts.map(whole);
  const throughput = drawPanel({
    at: { left: 20, top: 0, width: 520, height: HEIGHT },
    title: 'Deposits per second',
    note: 'higher is better; dotted: raw SQL, one connection',
    axis: 'callers at once',
    columns,
    lines: [...linesOf(({ perSecond }) => perSecond), ...ceilingLines(summary)],
    marks: aims.map(({ callers, perSecond }) => ({
      column: columns.indexOf(whole(callers)),
      value: perSecond,
      title: `aim ${whole(perSecond)}`,
    })),
  });
  const latency = drawPanel({
    at: { left: 545, top: 0, width: 350, height: HEIGHT },
    title: 'p99 latency, ms',
    note: 'lower is better',
    axis: 'callers at once',
    columns,
    lines: linesOf(({ p99 }) => p99),
    marks: [],
  });
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${String(WIDTH)} ${String(HEIGHT)}" width="${String(WIDTH)}" height="${String(HEIGHT)}" role="img" aria-label="Deposits per second and p99 latency of three ways, by number of callers">
<style>${CHART_STYLE}</style>
<rect class="ground" width="100%" height="100%" rx="8"/>
${throughput}
${latency}
</svg>
`;
}

function valuesOf(
  { byCallers }: Summary,
  way: WayName,
  pick: (figures: WayFigures) => number,
): (number | null)[] {
  return byCallers.map(({ ways }: CallersSummary) => finite(pick(ways[way])));
}

/** One value for the textbook; for the function one a batch, each in the column of the callers who fill it. */
function ceilingLines({ ceilings }: Summary): Line[] {
  const textbook = ceilings.find(({ statements }) => statements === 'textbook')?.perSecond;
  const batches = ceilings.filter(({ statements }) => statements === 'record_deposits');
  return [
    { name: 'textbook', title: null, values: callerCounts.map(() => finite(textbook)) },
    { name: 'intake', title: null, values: batches.map(({ perSecond }) => finite(perSecond)) },
  ];
}

function finite(value: number | undefined): number | null {
  return value !== undefined && Number.isFinite(value) && value > 0 ? value : null;
}

/** A picture brings its own ground, and follows the reader's light or dark setting. */
export const CHART_STYLE = `
text { font: 12px system-ui, sans-serif; fill: #1f2328; }
.title { font-size: 15px; font-weight: 600; }
.note, .axis { fill: #59636e; font-size: 11px; }
.ground { fill: #ffffff; }
.grid { stroke: #d1d9e0; }
.line { fill: none; stroke-width: 2.5; }
.dotted { stroke-width: 1.5; stroke-dasharray: 2 4; }
.textbook { stroke: #b35900; } .text-textbook { fill: #b35900; }
.call { stroke: #8250df; } .text-call { fill: #8250df; }
.intake { stroke: #0969da; } .text-intake { fill: #0969da; font-weight: 600; }
.dot { fill: #ffffff; stroke-width: 2.5; }
.text-aim { font-size: 11px; paint-order: stroke; stroke-width: 4; stroke-linejoin: round; }
.aim { fill: none; stroke: #1a7f37; stroke-width: 1.5; } .text-aim { fill: #1a7f37; stroke: #ffffff; }
@media (prefers-color-scheme: dark) {
text { fill: #e6edf3; }
.note, .axis { fill: #9198a1; }
.ground { fill: #0d1117; }
.grid { stroke: #3d444d; }
.textbook { stroke: #f0883e; } .text-textbook { fill: #f0883e; }
.call { stroke: #ab7df8; } .text-call { fill: #ab7df8; }
.intake { stroke: #4493f8; } .text-intake { fill: #4493f8; }
.dot { fill: #0d1117; }
.aim { stroke: #3fb950; } .text-aim { fill: #3fb950; stroke: #0d1117; }
}
`;
