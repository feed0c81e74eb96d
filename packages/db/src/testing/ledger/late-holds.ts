import type { Handle } from '../../connection/handle.ts';
import { query } from '../../connection/handle.ts';

export const LONG_AGO = new Date('2026-01-01T00:00:00.000Z');
export const FAR_AHEAD = new Date('2126-01-01T00:00:00.000Z');

/** Lets a hold's time be over, which no clock in a test can be waited for, through the door's own setting. */
export async function endEarly(db: Handle, holdId: string): Promise<void> {
  if (await db.form.isDistributed((question) => query(db, question, []))) return endOverNodes(db, holdId);
  const rows = await query<{ door: string }>(db, END, [holdId, LONG_AGO.toISOString().slice(0, -1)]);
  if (rows.length !== 1) throw new Error('There is no hold to end.');
}

/** In a transaction: the setting goes to the node of the hold with it. */
async function endOverNodes(db: Handle, holdId: string): Promise<void> {
  await query(db, { name: 'test_door_open', text: `SELECT lanes.set_door('open')::text` }, []);
  await query(db, END_OVER_NODES, [holdId, LONG_AGO.toISOString().slice(0, -1)]);
  await query(db, { name: 'test_door_close', text: `SELECT lanes.set_door('')::text` }, []);
}

const END_OVER_NODES = {
  name: 'test_hold_end_over_nodes',
  text: 'UPDATE core.holds h SET expires_at = $2::timestamp WHERE h.id = $1::uuid',
};

const END = {
  name: 'test_hold_end',
  text: `
WITH door AS MATERIALIZED (SELECT set_config('daftari.door', 'open', true) AS state)
UPDATE core.holds h SET expires_at = $2::timestamp FROM door WHERE h.id = $1::uuid AND door.state = 'open'
RETURNING set_config('daftari.door', '', true) AS door`,
};
