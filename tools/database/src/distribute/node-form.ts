import type { DeployedFunction } from '../new-migration/deployed-functions.ts';
import { PASSAGES } from './passages.ts';

/** What the form of a function depends on, and the function does not say. */
class NodeFormError extends Error {
  override readonly name = 'NodeFormError';
}

/**
 * The form of a function that any node runs, over whichever lanes it concerns. The same text, with these differences:
 *
 * - the door is opened by a function that opens it on every node that the transaction reaches, so that the guards there see
 *   it; set_config stays on one node;
 * - plans are made for each call: a generic plan cannot name a shard;
 * - a wallet is named with its lane where a row of it is written, and the time that is written is that of the statement: a
 *   function that answers differently each time would be asked on another node;
 * - what one query cannot ask of several nodes is asked in another way (`PASSAGES`).
 *
 * Null for a function that stays as it is.
 *
 * @throws {NodeFormError} when a passage is not there
 */
export function nodeFormOf({
  name,
  definition,
}: Pick<DeployedFunction, 'name' | 'definition'>): string | null {
  const form = withPassages(name, definition)
    .replaceAll(
      /PERFORM set_config\('daftari\.door', '(open|backfill|)', true\);/g,
      `PERFORM 1 FROM lanes.set_door('$1');`,
    )
    .replaceAll(` SET plan_cache_mode TO 'force_generic_plan'\n`, '')
    .replaceAll(/(INSERT INTO core\.wallets [^;]*)ON CONFLICT \(id\)/g, '$1ON CONFLICT (lane, id)')
    .replaceAll(/UPDATE core\.wallets\s+SET [^;]*;/g, (update) =>
      update
        .replaceAll('clock_timestamp()', 'statement_timestamp()')
        .replace(/WHERE id = (p_wallet|h\.wallet_id)/, 'WHERE lane = core.lane_of($1) AND id = $1'),
    );
  return form === definition ? null : form;
}

function withPassages(name: string, definition: string): string {
  return PASSAGES.filter(({ of }) => of === name).reduce((text, { from, to }) => {
    if (!text.includes(from)) throw new NodeFormError(`${name} has no passage "${from.trim()}"`);
    return text.replaceAll(from, () => to);
  }, definition);
}

/** Trigger functions that tell customers of a row, and the type of the row. */
export const TELLING = {
  'services.tell_of_transaction': 'core.transactions',
  'services.tell_of_capture': 'core.holds',
} as const;

/** `lanes.tell_of_transaction`, which is called with the row, in place of a trigger function. Null for every other function. */
export function callableFormOf({ name, definition }: Pick<DeployedFunction, 'name' | 'definition'>): string | null {
  const row = Object.entries(TELLING).find(([told]) => told === name)?.[1];
  if (row === undefined) return null;
  return withPassages(name, definition)
    .replace(`${name}()`, `${name.replace('services.', 'lanes.')}(new ${row})`)
    .replace('RETURNS trigger', 'RETURNS void')
    .replaceAll('RETURN NULL;', 'RETURN;');
}
