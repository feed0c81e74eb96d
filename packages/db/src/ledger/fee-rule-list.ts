import { query, read } from '../connection/handle.ts';
import type { Handle, Statement } from '../connection/handle.ts';
import { DaftariError } from '../errors.ts';
import type { FeeRuleEvent as EventRow } from '../generated/client.ts';
import { ruleOf } from './fee-rules.ts';
import type { FeeRule } from './fee-rules.ts';
import { requireTime } from '../request.ts';

/** What a person did to a fee rule. */
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
  /** Every past, present and future rule, whatever `at` is. Default: false. */
  readonly isAll?: boolean | undefined;
}

/** Fee rules with their history, by type, currency, lower bound and beginning. */
export async function listFeeRules(db: Handle, request: FeeRuleListRequest = {}): Promise<FeeRuleView[]> {
  if (request.at !== undefined) requireTime('at', request.at);
  const isAll = request.isAll ?? false;
  const rows = await read(
    db.prisma.feeRule.findMany({
      where: isAll ? {} : inForceAt(request.at ?? (await timeOf(db))),
      include: { events: { orderBy: { version: 'asc' } } },
      orderBy: [
        { transactionType: 'asc' },
        { currency: 'asc' },
        { minAmount: 'asc' },
        { validFrom: 'asc' },
        { id: 'asc' },
      ],
    }),
  );
  return rows.map((row) => ({ ...ruleOf(row), history: row.events.map(eventOf) }));
}

function inForceAt(at: Date) {
  return { validFrom: { lte: at }, OR: [{ validUntil: null }, { validUntil: { gt: at } }] };
}

/** The database's time, by which rules are set and charged. */
async function timeOf(db: Handle): Promise<Date> {
  const [row] = await query<{ now_ms: string }>(db, NOW, []);
  if (row === undefined) throw new DaftariError('database_error');
  return new Date(Number(row.now_ms));
}

function eventOf({ kind, validUntil, actor, note, createdAt }: EventRow): FeeRuleEvent {
  return { kind: kind as FeeRuleEvent['kind'], validUntil, by: actor, reason: note, at: createdAt };
}

const NOW: Statement = {
  name: 'now',
  text: 'SELECT (extract(epoch FROM clock_timestamp()) * 1000)::bigint::text AS now_ms',
};
