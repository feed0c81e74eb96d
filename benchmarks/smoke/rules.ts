import { rounded, table, whole } from '../lib/markdown.ts';
import { median } from '../lib/percentiles.ts';

/** All ways to record a deposit that are compared, slowest first on a quiet machine. */
const WAYS = ['textbook', 'one call', 'one lane', 'all lanes', 'raw SQL', 'the floor'] as const;

type Way = (typeof WAYS)[number];

/** Deposits per second of every way, measured once, one way after the other. */
export type SmokeRound = Readonly<Record<Way, number>>;

/** One way must reach so many times the rate of another. */
interface Rule {
  readonly way: Way;
  readonly other: Way;
  readonly least: number;
  /** What is broken when it does not. */
  readonly otherwise: string;
}

/**
 * Far from what a quiet machine has, which stands behind each, so that they hold on one that does much else; and closer than
 * anything that is broken.
 */
const RULES: readonly Rule[] = [
  // 12
  {
    way: 'one lane',
    other: 'one call',
    least: 2,
    otherwise: 'deposits do not travel in groups any more',
  },
  // 17
  {
    way: 'one lane',
    other: 'textbook',
    least: 3,
    otherwise: 'the intake has lost what it is for',
  },
  // 1.3 on two cores
  {
    way: 'all lanes',
    other: 'one lane',
    least: 0.6,
    otherwise: 'batches of different lanes wait for each other, or fail and are repeated',
  },
  // 0.9
  {
    way: 'one lane',
    other: 'raw SQL',
    least: 0.3,
    otherwise: 'the package costs several times what its SQL does',
  },
  // 0.5
  {
    way: 'raw SQL',
    other: 'the floor',
    least: 0.12,
    otherwise: 'the function costs several times what its rows do',
  },
  // 2
  {
    way: 'the floor',
    other: 'raw SQL',
    least: 0.8,
    otherwise: 'the floor is not one: something is wrong with the measurement',
  },
];

/** What was measured of a rule. */
export interface Verdict extends Rule {
  /** In each round. */
  readonly ratios: readonly number[];
  readonly holds: boolean;
}

/** The median of the rounds decides. Nothing holds that was not measured. */
export function judge(rounds: readonly SmokeRound[]): Verdict[] {
  return RULES.map((rule) => {
    const ratios = rounds.map((round) => round[rule.way] / round[rule.other]);
    return { ...rule, ratios, holds: median(ratios) >= rule.least };
  });
}

/** The rates and the verdicts, as two tables. */
export function renderSmoke(rounds: readonly SmokeRound[], verdicts: readonly Verdict[]): string {
  const rates = table(WAYS, [
    ['deposits per second', (way) => way],
    ['median', (way) => whole(median(rounds.map((round) => round[way])))],
    ['rounds', (way) => rounds.map((round) => whole(round[way])).join(', ')],
  ]);
  const ratios = table(verdicts, [
    ['ratio', ({ way, other }) => `${way} / ${other}`],
    ['least', ({ least }) => rounded(least)],
    ['median', ({ ratios: measured }) => rounded(median(measured))],
    ['rounds', ({ ratios: measured }) => measured.map(rounded).join(', ')],
    ['', ({ holds }) => (holds ? 'holds' : 'BROKEN')],
  ]);
  return `${rates}\n\n${ratios}`;
}

/** Why a run failed: what was measured, what should be, and what that means. */
export function complaintOf({ way, other, ratios, least, otherwise }: Verdict): string {
  return `${way} has ${rounded(median(ratios))} times the rate of ${other}, and must have ${rounded(least)}: ${otherwise}`;
}
