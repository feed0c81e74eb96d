import { drawPanels } from '../lib/picture.ts';
import type { Second } from './load.ts';

/** When the server finished a checkpoint, in seconds since the start. */
export type Moments = readonly number[];

/** Deposits a second, and their p99, second by second, with the moments of checkpoints, as an SVG. */
export function drawSeconds(seconds: readonly Second[], checkpoints: Moments): string {
  const across = (second: number) => second / seconds.length;
  const panel = (title: string, pick: (second: Second) => number) => ({
    title,
    lines: [
      {
        colour: '#06c',
        points: seconds.map((each, second) => [across(second + 0.5), pick(each)] as const),
      },
    ],
  });
  const minutes = Array.from({ length: Math.floor(seconds.length / 60) + 1 }, (_, minute) => minute);
  return drawPanels(
    [panel('deposits per second', ({ answers }) => answers), panel('p99 in milliseconds', ({ p99 }) => p99)],
    {
      ticks: minutes.map((minute) => [across(minute * 60), `${String(minute)} min`]),
      marks: { places: checkpoints.map(across), meaning: 'a checkpoint begins' },
    },
  );
}
