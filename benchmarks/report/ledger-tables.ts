import type { Figures, WayFigures } from './figures.ts';
import { rounded, table, whole } from '../lib/markdown.ts';
import { hotAim, lookupAim } from './summary.ts';
import type { Summary } from './summary.ts';
import type { Route } from '../data/transfers.ts';

const waits = ({ p50, p99 }: Figures) => `${rounded(p50)} / ${rounded(p99)}`;

/** Transfers per second and waiting times of one route. */
export function transferTable({ transfers }: Summary, route: Route): string {
  return table(
    [
      'callers',
      'textbook',
      'intake',
      'and told',
      'intake / textbook',
      'in single rounds',
      'textbook, ms',
      'intake, ms',
    ],
    transfers
      .filter((row) => row.route === route)
      .map(({ callers, textbook, intake, told, ratio }) => [
        whole(callers),
        rounded(textbook.perSecond),
        `**${rounded(intake.perSecond)}**`,
        rounded(told.perSecond),
        `${rounded(ratio.median)} ×`,
        `${rounded(ratio.least)} to ${rounded(ratio.most)} ×`,
        waits(textbook),
        waits(intake),
      ]),
  );
}

/** An aim that is missed says so, and by how much. */
export function hotAimTable({ transfers }: Summary): string {
  const row = transfers.find(({ route, callers }) => route === 'hot' && callers === hotAim.callers);
  const measured: Partial<WayFigures> = row?.intake ?? {};
  const { perSecond = Number.NaN, slowest = Number.NaN, fastest = Number.NaN } = measured;
  return table(
    ['the intake, one hot wallet', 'aim', 'measured', 'slowest to fastest round', ''],
    [
      [
        `${whole(hotAim.callers)} callers`,
        whole(hotAim.perSecond),
        rounded(perSecond),
        `${rounded(slowest)} to ${rounded(fastest)}`,
        verdict(perSecond, hotAim.perSecond),
      ],
    ],
  );
}

/** Look-ups beside the driver alone, and whether the aim is met with each number of callers. */
export function lookupTable({ lookups }: Summary): string {
  return table(
    [
      'callers',
      'raw',
      'lookupWallet',
      'of raw',
      'in single rounds',
      'raw, ms',
      'lookupWallet, ms',
      `aim: ${share(lookupAim)}`,
    ],
    lookups.map(({ callers, raw, ours, ratio }) => [
      whole(callers),
      rounded(raw.perSecond),
      `**${rounded(ours.perSecond)}**`,
      share(ratio.median),
      `${share(ratio.least)} to ${share(ratio.most)}`,
      waits(raw),
      waits(ours),
      verdict(ratio.median, lookupAim),
    ]),
  );
}

function share(ratio: number): string {
  return `${whole(100 * ratio)} %`;
}

function verdict(measured: number, aim: number): string {
  return measured >= aim ? 'met' : `missed by ${whole(100 - (100 * measured) / aim)} %`;
}
