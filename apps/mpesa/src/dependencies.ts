import type { Db, DepositIntake, PaymentIntake, Reads } from '@repo/db';
import type { Server } from '@repo/http';
import type { Daraja } from './daraja/client.ts';
import type { PaymentTimings } from './payments/timings.ts';
import type { SourceCheckSettings } from './source-check.ts';
import type { WebhookTimings } from './webhooks/timings.ts';

/** How the service behaves. */
export interface AppSettings {
  readonly apiKey: string;
  readonly callbackToken: string;
  readonly validation: 'accept' | 'strict';
  /** A validation in strict mode refuses what is above it; the intake has its own. Decimal string of KES. */
  readonly maxAmount?: string;
  /** How long each of the two steps of a validation may take, in milliseconds. Default: 3,000. */
  readonly validationDeadlineMs?: number;
  readonly sourceCheck: SourceCheckSettings;
  /** Addresses or networks of proxies whose `X-Forwarded-For` is believed. */
  readonly trustProxy: readonly string[];
  /** Callbacks that are worked on at the same time; at most what the intake's queue takes. Default: 2,000. */
  readonly maxCallbacks?: number;
  /** Requests of clients that are under way at the same time; others get 503. Default: 2,000. */
  readonly maxClients?: number;
  readonly logLevel: string;
  /**
   * Where M-PESA reaches this service, such as `https://pay.example.co.ke`. Default: where it listens, for development.
   */
  readonly callbackUrl?: string;
  /** How often missed payments are pulled and recorded. Default: never. */
  readonly pullMinutes?: number;
  /** How apps learn of events. Default: not at all. */
  readonly webhooks?: WebhookSettings;
}

export interface WebhookSettings {
  /** What the secrets of endpoints are sealed with in the database. */
  readonly key: string;
  /** Endpoints must have public addresses and https. */
  readonly isPublicOnly: boolean;
  readonly timings?: Partial<WebhookTimings>;
}

/** What the service works with. The caller made it and closes it. */
export interface AppDependencies {
  readonly db: Db;
  /** Answers lists and reports. Default: `db`. */
  readonly reads?: Reads;
  readonly intake: DepositIntake;
  /** Receipts of payments that we asked for. */
  readonly payments: PaymentIntake;
  /** Null where no account at Daraja is set: then phones cannot be asked for payments. */
  readonly daraja: Daraja | null;
  readonly timings: PaymentTimings;
  readonly settings: AppSettings;
}

/** What the routes for people share. */
export interface RouteContext {
  readonly db: Db;
  /** What lists are read with. */
  readonly reads: Reads;
  readonly requireKey: Server['requireKey'];
}
