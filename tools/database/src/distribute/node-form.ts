import type { DeployedFunction } from '../new-migration/deployed-functions.ts';

/**
 * The form of a function that any node runs, over whichever lanes it concerns. The same text, with three differences:
 *
 * - the door is opened by a function that opens it on every node that the transaction reaches, so that the guards there see
 *   it; set_config stays on one node;
 * - plans are made for each call: a generic plan cannot name a shard;
 * - a wallet is named with its lane where a row of it is written, and the time that is written is that of the statement: a
 *   function that answers differently each time would be asked on another node.
 *
 * Null for a function that stays as it is.
 */
export function nodeFormOf({ definition }: Pick<DeployedFunction, 'definition'>): string | null {
  const form = definition
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
