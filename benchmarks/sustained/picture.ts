import { whole } from '../lib/markdown.ts';
import type { Second } from './load.ts';

/** When the server finished a checkpoint, in seconds since the start. */
export type Moments = readonly number[];

const WIDTH = 960;
const PANEL = 200;
const LEFT = 70;
const TOP = 40;
const GAP = 60;

/** Deposits a second, and their p99, second by second, with the moments of checkpoints, as an SVG. */
export function drawSeconds(seconds: readonly Second[], checkpoints: Moments): string {
  const panels = [
    { title: 'deposits per second', values: seconds.map(({ answers }) => answers) },
    { title: 'p99 in milliseconds', values: seconds.map(({ p99 }) => p99) },
  ];
  const height = TOP + panels.length * (PANEL + GAP);
  const across = (second: number) => LEFT + (second / seconds.length) * (WIDTH - LEFT - 20);
  const drawn = panels.map(({ title, values }, index) => {
    const top = TOP + index * (PANEL + GAP);
    const most = niceMost(Math.max(...values, 1));
    const up = (value: number) => top + PANEL - (value / most) * PANEL;
    const points = values.map(
      (value, second) => `${across(second + 0.5).toFixed(1)},${up(value).toFixed(1)}`,
    );
    const lines = [0, 0.25, 0.5, 0.75, 1].map((part) => {
      const y = up(most * part).toFixed(1);
      return `<line x1="${LEFT}" x2="${WIDTH - 20}" y1="${y}" y2="${y}" stroke="#ddd"/><text x="${LEFT - 8}" y="${y}" text-anchor="end" dominant-baseline="middle">${whole(most * part)}</text>`;
    });
    const marks = checkpoints.map((second) => {
      const x = across(second).toFixed(1);
      return `<line x1="${x}" x2="${x}" y1="${top}" y2="${top + PANEL}" stroke="#c60" stroke-dasharray="3 3"/>`;
    });
    return [
      `<text x="${LEFT}" y="${top - 12}" font-weight="bold">${title}</text>`,
      ...lines,
      ...marks,
      `<polyline fill="none" stroke="#06c" stroke-width="1.2" points="${points.join(' ')}"/>`,
    ].join('\n');
  });
  const minutes = Array.from({ length: Math.floor(seconds.length / 60) + 1 }, (_, minute) => {
    const x = across(minute * 60).toFixed(1);
    return `<text x="${x}" y="${height - GAP + 20}" text-anchor="middle">${String(minute)} min</text>`;
  });
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${height}" width="${WIDTH}" height="${height}" font-family="sans-serif" font-size="12" fill="#333">
<rect width="100%" height="100%" fill="#fff"/>
${drawn.join('\n')}
${minutes.join('\n')}
<text x="${WIDTH - 20}" y="20" text-anchor="end" fill="#c60">dashed: a checkpoint begins</text>
</svg>
`;
}

/** The next of 1, 2 and 5 with zeros. */
function niceMost(value: number): number {
  const power = 10 ** Math.floor(Math.log10(value));
  const step = [1, 2, 5, 10].find((each) => each * power >= value) ?? 10;
  return step * power;
}
