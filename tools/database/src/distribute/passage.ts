/** What a function of one machine says and its form over nodes says instead. */
export interface Passage {
  readonly of: string;
  readonly from: string;
  readonly to: string;
}

/** A function that is asked for one lane, and how it differs from the one that is asked for all. */
export interface LaneEntry {
  /** The parameters that come before its own, the lane first. */
  readonly parameters: string;
  /** What is said otherwise: a passage, and what comes instead of it. */
  readonly steps: readonly (readonly [RegExp, string])[];
}
