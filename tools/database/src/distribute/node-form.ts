import type { DeployedFunction } from '../new-migration/deployed-functions.ts';
import { PASSAGES } from './passages.ts';
import { REPORT_PASSAGES } from './report-passages.ts';
import { SMS_PASSAGES } from './sms-passages.ts';
import { STATEMENT_PASSAGES } from './statement-passages.ts';

const ALL_PASSAGES = [...PASSAGES, ...STATEMENT_PASSAGES, ...REPORT_PASSAGES, ...SMS_PASSAGES];

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
 * - advisory locks, which each node has by itself, become rows that are waited for on any node;
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
  const form = withLanes(withPassages(name, definition))
    .replaceAll(
      /PERFORM set_config\('daftari\.door', ('(?:open|backfill|)'|v_door), true\);/g,
      'PERFORM 1 FROM lanes.set_door($1);',
    )
    .replaceAll(
      /PERFORM pg_advisory_xact_lock\(hashtextextended\((.*), 0\)\);/g,
      'PERFORM lanes.lock_name(p_name => $1);',
    )
    .replaceAll(` SET plan_cache_mode TO 'force_generic_plan'\n`, '')
    .replaceAll(/(INSERT INTO core\.wallets [^;]*)ON CONFLICT \(id\)/g, '$1ON CONFLICT (lane, id)')
    .replaceAll(/UPDATE [a-z]+\.[a-z_]+(?: [a-z])?\s+SET [^;]*;/g, (update) =>
      update.replaceAll('clock_timestamp()', 'statement_timestamp()'),
    )
    .replaceAll(/UPDATE core\.wallets\s+SET [^;]*;/g, (update) =>
      update.replace(/WHERE id = (p_wallet|h\.wallet_id)/, 'WHERE lane = core.lane_of($1) AND id = $1'),
    );
  return form === definition ? null : form;
}

/**
 * A row that is asked for by its number, its reference or its id is found by its lane as well, with which each key begins:
 * a wallet's number says its lane, a reference is claimed in one, and holds are looked for in all.
 */
function withLanes(text: string): string {
  if (!text.includes(' LANGUAGE plpgsql')) return text;
  return text
    .replaceAll(
      /FROM core\.wallets( [a-z])?(\s+)WHERE ([a-z]\.)?id = ([a-z_.]+)/g,
      'FROM core.wallets$1$2WHERE $3lane = core.lane_of($4) AND $3id = $4',
    )
    .replaceAll(
      /FROM core\.transactions ([a-z])(\s+)WHERE \1\.reference = ((?:'[A-Z]+-' \|\| )?[a-z_.]+)\b(?! ?\()/g,
      'FROM lanes.transactions_of(ARRAY[$3]::text[]) $1$2WHERE $1.reference = $3',
    )
    .replaceAll(
      /FROM core\.transactions ([a-z])(\s+)WHERE \1\.reference = ANY \(([a-z_]+)\)/g,
      'FROM lanes.transactions_of($3) $1$2WHERE $1.reference = ANY ($3)',
    )
    .replaceAll(
      /FROM core\.holds( [a-z])?(\s+)WHERE ([a-z]\.)?id = ([a-z_.]+)\b(?! ?\()/g,
      'FROM lanes.holds_of(ARRAY[$4])$1$2WHERE $3id = $4',
    )
    .replaceAll(
      /FROM core\.holds( [a-z])?(\s+)WHERE ([a-z]\.)?id = ANY \(([a-z_]+)\)/g,
      'FROM lanes.holds_of($4)$1$2WHERE $3id = ANY ($4)',
    );
}

function withPassages(name: string, definition: string): string {
  return ALL_PASSAGES.filter(({ of }) => of === name).reduce((text, { from, to }) => {
    if (!text.includes(from)) throw new NodeFormError(`${name} has no passage "${from.trim()}"`);
    return text.replaceAll(from, () => to);
  }, definition);
}

/** Trigger functions that tell customers of a row, and the type of the row. */
const TELLING = {
  'services.tell_of_transaction': 'core.transactions',
  'services.tell_of_capture': 'core.holds',
} as const;

const FOLDING = 'services.fold_delivery';

/**
 * What is called in place of another function by who knows more than that one is told: `lanes.tell_of_transaction` with the row,
 * in place of a trigger function, and `lanes.fold_delivery` with the lanes of the messages. Null for every other function.
 */
export function callableFormOf({
  name,
  definition,
}: Pick<DeployedFunction, 'name' | 'definition'>): string | null {
  if (name === FOLDING) {
    const form = nodeFormOf({ name, definition }) ?? definition;
    return form.replace(`${name}(p_ids uuid[])`, `lanes.fold_delivery(p_ids uuid[], p_lanes smallint[])`);
  }
  const row = Object.entries(TELLING).find(([told]) => told === name)?.[1];
  if (row === undefined) return null;
  return withPassages(name, definition)
    .replace(`${name}()`, `${name.replace('services.', 'lanes.')}(new ${row})`)
    .replace('RETURNS trigger', 'RETURNS void')
    .replaceAll('RETURN NULL;', 'RETURN;');
}
