import type { ChooseBehaviour } from './behaviour.ts';

/** What can be changed while the simulator runs. */
export interface Settings {
  /** What becomes of each message; all are accepted when absent. */
  readonly behaviour: ChooseBehaviour;
  /** Waited before every answer. */
  readonly delayMs: number;
  /** Every answer waits for it as well, so that a test, and not the clock, says when it comes. Null for nothing. */
  readonly gate: Promise<void> | null;
  /** Where delivery reports go; null for none. */
  readonly reportUrl: string | null;
  /** Ten-thousandths of KES that a part costs. Default: 8,000. */
  readonly partCost: number;
}

export interface AfricasTalkingOptions extends Partial<Settings> {
  /** Port of 127.0.0.1; a free one when absent. */
  readonly port?: number;
  /** `sandbox` when absent. */
  readonly username?: string;
  /** `simulated-key` when absent. */
  readonly apiKey?: string;
  /** Ten-thousandths of KES on the account; when it is used up messages are refused. No end when absent. */
  readonly balance?: bigint;
  /** Keeps the accepted messages in memory, true when absent. Counts and sums are kept in any case. */
  readonly keepMessages?: boolean;
}
