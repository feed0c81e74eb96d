import type { Handle, Statement } from '../connection/handle.ts';
import { feeRuleColumns, ruleOf } from './fee-rules.ts';
import type { FeeRule, FeeRuleRow } from './fee-rules.ts';
import { requireTime } from '../request.ts';
import { query } from '../connection/handle.ts';

/** What somebody did to a fee rule. */
export interface FeeRuleEvent {
  /** RESTORED: the rule that was to replace it was ended before it began. */
  readonly kind: 'SET' | 'REPLACED' | 'ENDED' | 'RESTORED';
  /** When the rule ends by this event. */
  readonly validUntil: Date | null;
  readonly by: string;
  readonly reason: string;
  readonly at: Date;
}

export interface FeeRuleView extends FeeRule {
  /** Oldest first; empty for a rule from before it was kept. */
  readonly history: readonly FeeRuleEvent[];
}

export interface FeeRuleListRequest {
  /** The rules in force at this moment. Default: now. */
  readonly at?: Date | undefined;
  /** Every rule that there was, is or will be, whatever `at` is. Default: false. */
  readonly isAll?: boolean | undefined;
}

/** Fee rules with their history, by type, currency, lower bound and beginning. */
export async function listFeeRules(db: Handle, request: FeeRuleListRequest = {}): Promise<FeeRuleView[]> {
  const at = request.at === undefined ? null : requireTime('at', request.at);
  const rows = await query<ListRow>(db, LIST, [at, request.isAll ?? false]);
  return rows.map((row) => ({
    ...ruleOf(row),
    history: (JSON.parse(row.history) as HistoryRow[]).map(eventOf),
  }));
}

function eventOf({ kind, until, actor, note, at }: HistoryRow): FeeRuleEvent {
  return {
    kind,
    validUntil: until === null ? null : new Date(until),
    by: actor,
    reason: note,
    at: new Date(at),
  };
}

interface ListRow extends FeeRuleRow {
  readonly history: string;
}

/** Times are milliseconds since 1970. */
interface HistoryRow {
  readonly kind: FeeRuleEvent['kind'];
  readonly until: number | null;
  readonly actor: string;
  readonly note: string;
  readonly at: number;
}

const LIST: Statement = {
  name: 'fee_rules_list',
  text: `
SELECT ${feeRuleColumns()},
       (SELECT coalesce(json_agg(json_build_object(
                 'kind', e.kind, 'until', (extract(epoch FROM e.valid_until) * 1000)::bigint, 'actor', e.actor,
                 'note', e.note, 'at', (extract(epoch FROM e.created_at) * 1000)::bigint
               ) ORDER BY e.version), '[]')::text
          FROM core.fee_rule_events e
         WHERE e.rule_id = r.id) AS history
  FROM core.fee_rules r, coalesce($1::timestamp, clock_timestamp() AT TIME ZONE 'UTC') AS at
 WHERE $2::boolean OR r.valid_from <= at AND (r.valid_until IS NULL OR r.valid_until > at)
 ORDER BY r.transaction_type, r.currency, r.min_amount, r.valid_from, r.id`,
};
