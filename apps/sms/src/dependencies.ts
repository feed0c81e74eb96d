import type { Db, Reads } from '@repo/db';
import type { KeyGuard } from '@repo/http';
import type { CallbackReader } from './providers/provider.ts';
import type { SmsMetrics } from './sms-metrics.ts';

/** How the service behaves. */
export interface AppSettings {
  /** The first key, which may do everything. */
  readonly apiKey: string;
  readonly callbackToken: string;
  /** How long a key that was found is believed, in milliseconds. Default: 5,000. */
  readonly keyCacheMs?: number;
  /** Callbacks that are worked on at the same time. Default: 2,000. */
  readonly maxCallbacks?: number;
  /** Requests of clients that are under way at the same time; others get 503. Default: 2,000. */
  readonly maxClients?: number;
  readonly logLevel: string;
}

/** What the service works with. The caller made it and closes it. */
export interface AppDependencies {
  readonly db: Db;
  /** Answers lists and reports. Default: `db`. */
  readonly reads?: Reads;
  /** Reads what the provider calls us with. */
  readonly callbacks: CallbackReader;
  readonly settings: AppSettings;
}

/** What a key may be allowed to do: see what became of messages, have some sent, and the rest. */
type Scope = 'read' | 'transact' | 'admin';

/** What the routes share. */
export interface RouteContext {
  readonly db: Db;
  /** What lists and reports are read with. */
  readonly reads: Reads;
  readonly metrics: SmsMetrics;
  readonly requireKey: (scope: Scope) => KeyGuard;
}
