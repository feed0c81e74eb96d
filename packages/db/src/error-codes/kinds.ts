/** What an error means for callers. */
export type ErrorKind =
  /** The request is understood and cannot be done. */
  | 'refused'
  /** Nothing was recorded, and the same request can be sent again later. */
  | 'busy'
  /** Nobody knows whether it was done. */
  | 'doubtful'
  /** No request should lead there: it is a fault of a program or of how it is run. */
  | 'bug';

interface Refused {
  readonly kind: 'refused';
  /** The HTTP status with which services answer. Default: 422. 404: unknown. 409: at odds with what was done before. */
  readonly status?: 404 | 409;
  /** What is wrong, in the same sentence every time. */
  readonly title: string;
  /** What the reader should do. */
  readonly advice: string;
}

interface Failed {
  readonly kind: Exclude<ErrorKind, 'refused'>;
  /** There is more work than this process takes at a time: callers should come later, or go to another process. */
  readonly isOverload?: true;
  readonly advice: string;
}

/** The codes of one subject, and what each means. */
export type ErrorDescriptions = Readonly<Record<string, Refused | Failed>>;
