import type { Databases } from '../data/databases.ts';
import type { Customer, Supply } from '../data/deposits.ts';
import type { Pace } from './options.ts';
import type { TransferSupply } from '../data/transfers.ts';

/** What every measurement works with. */
export interface Workbench {
  readonly databases: Databases;
  readonly customers: readonly Customer[];
  readonly supply: Supply;
  readonly transfers: TransferSupply;
  readonly pace: Pace;
}

/** Where a measurement stands among the others. */
export interface Turn {
  readonly round: number;
  /** Says what is measured now. */
  readonly say: (what: string) => void;
}

/** The same items, beginning at another one in each round. */
export function turned<Item>(items: readonly Item[], by: number): Item[] {
  const first = by % items.length;
  return [...items.slice(first), ...items.slice(0, first)];
}
