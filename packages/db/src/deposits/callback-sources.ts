import { query } from '../connection/handle.ts';
import type { Handle, Statement } from '../connection/handle.ts';
import { requireTime } from '../request.ts';
import { firstId } from './callback-list.ts';

/** An address that callbacks came from. */
export interface CallbackSource {
  readonly address: string;
  readonly callbacks: number;
  readonly last: Date;
}

/** The addresses that callbacks have come from since a moment, those with the most first; at most a hundred. */
export async function listCallbackSources(
  db: Handle,
  { since }: { readonly since: Date },
): Promise<CallbackSource[]> {
  const rows = await query<SourceRow>(db, SOURCES, [firstId(since.getTime()), requireTime('since', since)]);
  return rows.map(({ address, callbacks, last_ms: last }) => ({
    address,
    callbacks: Number(callbacks),
    last: new Date(Number(last)),
  }));
}

interface SourceRow {
  readonly address: string;
  readonly callbacks: string;
  readonly last_ms: string;
}

// By ids, which sort by time: the inbox has no index on when a callback came.
const SOURCES: Statement = {
  name: 'callback_sources',
  text: `
SELECT c.source AS address, count(*)::text AS callbacks,
       (extract(epoch FROM max(c.received_at)) * 1000)::bigint::text AS last_ms
  FROM services.mpesa_callbacks c
 WHERE c.id >= $1::uuid AND c.received_at >= $2::timestamp AND c.source IS NOT NULL
 GROUP BY c.source
 ORDER BY count(*) DESC, c.source
 LIMIT 100`,
};
