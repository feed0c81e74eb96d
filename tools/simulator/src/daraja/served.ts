import type { Reply } from './exchange.ts';
import type { Fault } from './faults.ts';

/** A reply, the fault that befalls it, and what happens when it has left. */
export interface Served {
  readonly reply: Reply;
  readonly fault?: Fault;
  readonly afterwards?: () => Promise<void>;
}
