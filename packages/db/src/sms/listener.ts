import { setTimeout as sleep } from 'node:timers/promises';
import type { Client } from 'pg';
import { toDaftariError } from '../connection/database-error.ts';
import type { Db } from '../connection/db.ts';
import { DaftariError } from '../errors.ts';

export interface Listening {
  /** A name of our own, never a stranger's text. */
  readonly channel: string;
  /** Called for each notice, and each time the listening has begun. */
  readonly onNotice: () => void;
  readonly onError?: (error: DaftariError) => void;
}

export interface Listener {
  readonly ready: Promise<void>;
  close(): Promise<void>;
}

/** The first pause before connecting again, and the longest; milliseconds. */
const PAUSES = { first: 100, longest: 30_000 };

/** Listens on a connection of its own, which is opened again whenever it is lost. */
export function listen(db: Db, listening: Listening): Listener {
  const { connect } = db;
  if (connect === null) throw new DaftariError('pooler_cannot_listen');
  const stop = new AbortController();
  const ready = Promise.withResolvers<void>();
  const run = async (): Promise<void> => {
    let pause = PAUSES.first;
    while (!stop.signal.aborted) {
      try {
        const client = await connect();
        const onBegun = (): void => {
          pause = PAUSES.first;
          ready.resolve();
        };
        await attend(client, listening, { signal: stop.signal, onBegun });
      } catch (error) {
        if (!stop.signal.aborted) listening.onError?.(toDaftariError(error));
      }
      // Random, so that senders who lost the server together do not come back together.
      await sleep(pause * (0.5 + Math.random()), undefined, { signal: stop.signal }).catch(() => undefined);
      pause = Math.min(pause * 2, PAUSES.longest);
    }
    ready.resolve();
  };
  const running = run();
  return {
    ready: ready.promise,
    close() {
      stop.abort();
      return running;
    },
  };
}

/** Listens until the connection is lost, which throws, or until it is told to stop. */
async function attend(
  client: Client,
  { channel, onNotice }: Listening,
  { signal, onBegun }: { readonly signal: AbortSignal; readonly onBegun: () => void },
): Promise<void> {
  const ended = new Promise<void>((resolve) => client.once('end', resolve));
  const stopped = new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve()));
  try {
    if (signal.aborted) return;
    client.on('notification', onNotice);
    await client.query(`LISTEN ${channel}`);
    onBegun();
    // Notifications before this moment were missed.
    onNotice();
    await Promise.race([ended, stopped]);
    if (!signal.aborted) throw new DaftariError('database_unavailable');
  } finally {
    await client.end();
  }
}
