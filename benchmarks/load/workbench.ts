import type { Deposit } from '@repo/db';
import type { Databases } from '../data/databases.ts';
import type { Customer, Supply } from '../data/payments.ts';
import type { Transfers } from '../data/transfers.ts';

/** What every measurement works with, and where it stands among the others. */
export interface Workbench {
  readonly databases: Databases;
  readonly customers: readonly Customer[];
  readonly payments: Supply<Deposit>;
  readonly transfers: Transfers;
  readonly pace: Pace;
  readonly round: number;
  /** Says what is measured now. */
  readonly say: (what: string) => void;
}

/** How long things take, in milliseconds. */
export interface Pace {
  /** The least time before a window opens; connections, plans and machine code are made in it. */
  readonly warmUp: number;
  /** A window opens when every caller has been answered once, and at the latest after this time. */
  readonly warmUpAtMost: number;
  readonly window: number;
  /** The window of 2,000 callers, who are answered in larger groups. */
  readonly longWindow: number;
  /** The window of a service, after a warm-up half as long; and the rest before its memory is read again. */
  readonly serviceWindow: number;
  readonly idle: number;
  /** Deposits, and transfers of each route, that are made up before anything is measured. */
  readonly prebuilt: number;
  /** Messages that wait in the outbox when its senders begin: more than they can send by the end of the window. */
  readonly texts: number;
}

export const FULL_PACE: Pace = {
  warmUp: 700,
  warmUpAtMost: 30_000,
  window: 1_500,
  longWindow: 3_000,
  serviceWindow: 6_000,
  idle: 5_000,
  prebuilt: 150_000,
  texts: 300_000,
};

export const QUICK_PACE: Pace = {
  warmUp: 150,
  warmUpAtMost: 1_000,
  window: 300,
  longWindow: 500,
  serviceWindow: 1_000,
  idle: 200,
  prebuilt: 20_000,
  texts: 50_000,
};

/** So short that only ratios of several times mean anything. */
export const SMOKE_PACE: Pace = {
  ...QUICK_PACE,
  window: 500,
  prebuilt: 6_000,
};
