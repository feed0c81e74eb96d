import type { Random } from '../random.ts';
import type { Book, OpenPayment } from './book.ts';
import type { Chance } from './chance.ts';
import type { Deliveries } from './deliveries.ts';
import type { Organisation } from './organisation.ts';
import type { RegisteredUrls, Settings } from './settings.ts';
import type { Tokens } from './tokens.ts';

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
