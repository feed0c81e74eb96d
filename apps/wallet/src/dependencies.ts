import type { Db, LedgerIntake, Reads, TransferIntake } from '@repo/db';
import type { KeyGuard } from '@repo/http';
import type { Issuer, SigningKeys } from '@repo/receipts';
import type { LookupLimits } from './wallets/lookup-limits.ts';
import type { WalletMetrics } from './wallet-metrics.ts';

/** How the service behaves. */
export interface AppSettings {
  /** The first key, which may do everything. */
  readonly apiKey: string;
  /** Where the public reaches the service; the address it listens on when absent. */
  readonly publicUrl?: string;
  /** Whose receipts they are; not said when absent. */
  readonly issuer?: Issuer;
  /** Look-ups of one API key in a minute. */
  readonly lookupRate: number;
  /** Checks of receipts from one address in a minute. */
  readonly verifyRate: number;
  /** Addresses or networks of proxies whose `X-Forwarded-For` is believed; none when absent. */
  readonly trustProxy?: readonly string[];
  /** How long a key that was found is believed, in milliseconds. Default: 5,000. */
  readonly keyCacheMs?: number;
  /** Requests that are under way at the same time; others get 503. Default: 2,000. */
  readonly maxClients?: number;
  readonly logLevel: string;
}

/** What the service works with. The caller made it and closes it. */
export interface AppDependencies {
  readonly db: Db;
  /** Answers lists and reports. Default: `db`. */
  readonly reads?: Reads;
  readonly transfers: TransferIntake;
  readonly ledger: LedgerIntake;
  readonly receiptKeys: SigningKeys;
  readonly settings: AppSettings;
}

/** What a key may be allowed to do, from harmless to powerful. */
export const SCOPES = ['read', 'transact', 'admin'] as const;

export type Scope = (typeof SCOPES)[number];

/** What the routes share. */
export interface RouteContext {
  readonly db: Db;
  /** What lists and reports are read with. */
  readonly reads: Reads;
  /** Whose receipts they are, and whose name no customer may have; null if not configured. */
  readonly issuer: Issuer | null;
  readonly limits: LookupLimits;
  readonly metrics: WalletMetrics;
  readonly requireKey: (scope: Scope) => KeyGuard;
}
