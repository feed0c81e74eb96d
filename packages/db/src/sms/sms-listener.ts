import type { Db } from '../connection/db.ts';
import type { DaftariError } from '../errors.ts';
import { listen } from './listener.ts';

export interface SmsListener {
  /** Resolves when the first connection listens; a wake-up before that is not lost, because it wakes by itself then. */
  readonly ready: Promise<void>;
  close(): Promise<void>;
}

/**
 * Calls `onWake` when messages are queued (`queueSms`, `wakeSmsSenders`), and after each time it has connected, because
 * notifications are lost meanwhile. It listens on a connection of its own and connects again by itself.
 *
 * It is for speed only: keep polling behind it. Through a pooler in transaction mode nothing would be heard.
 *
 * @param options.onError hears why a connection was lost or could not be made
 * @throws DaftariError `pooler_cannot_listen` when the database was opened with `pooler: true`
 */
export function listenForSms(
  db: Db,
  onWake: () => void,
  options: { readonly onError?: (error: DaftariError) => void } = {},
): SmsListener {
  return listen(db, { channel: 'daftari_sms', onNotice: onWake, ...options });
}
