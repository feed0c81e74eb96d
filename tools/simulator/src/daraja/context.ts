import type { Random } from '../random.ts';
import type { Book, OpenPayment } from './book.ts';
import type { Chance } from './chance.ts';
import type { Deliveries } from './deliveries.ts';
import type { Organisation } from './organisation.ts';
import type { Settings } from './settings.ts';
import type { Tokens } from './tokens.ts';

/** Where M-PESA reports payments to a short code, as registered. */
export interface RegisteredUrls {
  readonly confirmationUrl: string;
  readonly validationUrl: string;
  /** What happens to a payment whose validation is not answered in time. */
  readonly responseType: 'Completed' | 'Cancelled';
}

/** What the parts of the simulator share. */
export interface Context {
  readonly organisation: Organisation;
  readonly consumer: { readonly key: string; readonly secret: string };
  readonly now: () => Date;
  readonly chance: Chance;
  readonly tokens: Tokens;
  readonly book: Book;
  readonly deliveries: Deliveries;
  /** Aborted when the simulator closes. */
  readonly closing: AbortSignal;
  settings: Settings;
  urls: RegisteredUrls | null;
}

/** A payment whose events are due, and the chance of that payment. */
export interface DuePayment {
  readonly payment: OpenPayment;
  readonly random: Random;
}
