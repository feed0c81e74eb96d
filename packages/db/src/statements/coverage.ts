/** A stretch of time in milliseconds since 1970; `to` is excluded. */
export interface Span {
  readonly from: number;
  readonly to: number;
}

/** The parts of a period that none of the spans covers. */
export function uncoveredOf(period: Span, spans: readonly Span[]): Span[] {
  const gaps: Span[] = [];
  let reached = period.from;
  for (const { from, to } of spans.toSorted((a, b) => a.from - b.from)) {
    if (from >= period.to) break;
    if (from > reached) gaps.push({ from: reached, to: from });
    reached = Math.max(reached, to);
  }
  if (reached < period.to) gaps.push({ from: reached, to: period.to });
  return gaps;
}

export function isWithin(spans: readonly Span[], at: number): boolean {
  return spans.some(({ from, to }) => at >= from && at < to);
}
