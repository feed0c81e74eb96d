import { whole } from './markdown.ts';

/** A diagram with one axis up: lines over places from 0 to 1. */
interface Panel {
  readonly title: string;
  readonly lines: readonly Line[];
}

interface Line {
  readonly colour: string;
  readonly points: readonly (readonly [place: number, value: number])[];
  /** Stands beside the last point. */
  readonly name?: string;
}

interface Frame {
  /** What stands below the panels, by place. */
  readonly ticks: readonly (readonly [place: number, text: string])[];
  /** Places that a dashed line marks in each panel, and what it means. */
  readonly marks?: { readonly places: readonly number[]; readonly meaning: string };
}

const WIDTH = 960;
const HEIGHT = 200;
const LEFT = 70;
const RIGHT = 20;
const TOP = 40;
const GAP = 60;
const MARK = '#c60';

/** Panels below each other, as an SVG. */
export function drawPanels(panels: readonly Panel[], { ticks, marks }: Frame): string {
  const height = TOP + panels.length * (HEIGHT + GAP);
  const across = (place: number) => (LEFT + place * (WIDTH - LEFT - RIGHT)).toFixed(1);
  const drawn = panels.map(({ title, lines }, index) => {
    const top = TOP + index * (HEIGHT + GAP);
    const most = niceMost(Math.max(...lines.flatMap(({ points }) => points.map(([, value]) => value)), 1));
    const up = (value: number) => (top + HEIGHT - (value / most) * HEIGHT).toFixed(1);
    const grid = [0, 0.25, 0.5, 0.75, 1].map((part) => {
      const y = up(most * part);
      return `<line x1="${LEFT}" x2="${WIDTH - RIGHT}" y1="${y}" y2="${y}" stroke="#ddd"/><text x="${LEFT - 8}" y="${y}" text-anchor="end" dominant-baseline="middle">${whole(most * part)}</text>`;
    });
    const dashes = (marks?.places ?? []).map((place) => {
      const x = across(place);
      return `<line x1="${x}" x2="${x}" y1="${top}" y2="${top + HEIGHT}" stroke="${MARK}" stroke-dasharray="3 3"/>`;
    });
    const paths = lines.map(({ colour, points, name }) => {
      const path = points.map(([place, value]) => `${across(place)},${up(value)}`).join(' ');
      const [lastPlace, lastValue] = points.at(-1) ?? [0, 0];
      const label =
        name === undefined
          ? ''
          : `<text x="${across(lastPlace)}" y="${up(lastValue)}" dy="-6" text-anchor="end" fill="${colour}">${name}</text>`;
      return `<polyline fill="none" stroke="${colour}" stroke-width="1.2" points="${path}"/>${label}`;
    });
    return [
      `<text x="${LEFT}" y="${top - 12}" font-weight="bold">${title}</text>`,
      ...grid,
      ...dashes,
      ...paths,
    ].join('\n');
  });
  const below = ticks.map(
    ([place, text]) =>
      `<text x="${across(place)}" y="${height - GAP + 20}" text-anchor="middle">${text}</text>`,
  );
  const meaning =
    marks === undefined
      ? ''
      : `<text x="${WIDTH - RIGHT}" y="20" text-anchor="end" fill="${MARK}">dashed: ${marks.meaning}</text>`;
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${height}" width="${WIDTH}" height="${height}" font-family="sans-serif" font-size="12" fill="#333">
<rect width="100%" height="100%" fill="#fff"/>
${[...drawn, ...below, meaning].join('\n')}
</svg>
`;
}

/** The next of 1, 2 and 5 with zeros. */
function niceMost(value: number): number {
  const power = 10 ** Math.floor(Math.log10(value));
  const step = [1, 2, 5, 10].find((each) => each * power >= value) ?? 10;
  return step * power;
}
