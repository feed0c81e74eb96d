/**
 * The nearest-rank percentile: the smallest of the values that at least `percent` per cent of them do not exceed.
 * It is always one of the values. NaN when there are none.
 *
 * @param sorted ascending
 * @param percent above 0, at most 100
 */
export function percentile(sorted: Float64Array, percent: number): number {
  return sorted[Math.max(Math.ceil((sorted.length * percent) / 100), 1) - 1] ?? Number.NaN;
}

/** The middle value, or the mean of the two in the middle. NaN when there are none. */
export function median(values: readonly number[]): number {
  const sorted = Float64Array.from(values).toSorted();
  const upper = sorted[Math.floor(sorted.length / 2)] ?? Number.NaN;
  const lower = sorted[Math.ceil(sorted.length / 2) - 1] ?? Number.NaN;
  return (lower + upper) / 2;
}

/** The same of whole numbers of which only is known how often each occurs: `counts[7]` sevens. NaN when there are none. */
export function percentileOfCounts(counts: Uint32Array, percent: number): number {
  const all = counts.reduce((sum, times) => sum + times, 0);
  const wanted = Math.max(Math.ceil((all * percent) / 100), 1);
  let seen = 0;
  for (const [value, times] of counts.entries()) {
    seen += times;
    if (seen >= wanted) return value;
  }
  return Number.NaN;
}
