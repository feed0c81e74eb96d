import type { Db } from '../connection/db.ts';
import type { Handle, Statement } from '../connection/handle.ts';
import { query } from '../connection/handle.ts';
import { transaction } from '../connection/transaction.ts';
import type { AuditCheck } from './audit-check.ts';
import { copyTables } from './audit-over-nodes.ts';
import { DEPOSIT_CHECKS } from './deposit-checks.ts';
import { LEDGER_CHECKS } from './ledger-checks.ts';
import { REQUEST_CHECKS } from './request-checks.ts';

export interface AuditOptions {
  /** How many findings of each check are named; the others are counted. Default: 20. */
  readonly limit?: number;
  /** Called before each check. */
  readonly onCheck?: (progress: {
    readonly name: string;
    readonly place: number;
    readonly of: number;
  }) => void;
}

/** A fault of the ledger. It names no phone number, no holder and no key of a caller. */
export interface AuditFinding {
  /** The reference, wallet number, hold or currency concerned. */
  readonly subject: string;
  readonly what: string;
}

export interface AuditedCheck {
  readonly name: string;
  /** What was compared. */
  readonly about: string;
  /** What to do about a finding. */
  readonly advice: string;
  /** The number of all faults; `findings` has the first of them. */
  readonly faults: number;
  readonly findings: readonly AuditFinding[];
}

export interface LedgerAudit {
  /** The moment that the audit shows. */
  readonly at: Date;
  /** Rows that were looked at. */
  readonly wallets: number;
  readonly transactions: number;
  readonly checks: readonly AuditedCheck[];
}

/** Long enough for any ledger: the audit ends by itself. */
const TIMEOUT_MS = 24 * 3_600_000;

/**
 * Checks that wallets, transactions, holds, requests, M-PESA logs, callbacks and SMS costs agree with each other.
 * Changes nothing and locks nothing; all checks see one moment, however long they take: about a minute for a million
 * transactions.
 *
 * Over several servers it copies what it reads to the one that it asks, takes a second connection for that, and lets writers
 * wait until each server shows the same moment.
 *
 * @throws DaftariError `schema_outdated` where the ledger is not deployed
 */
export async function auditLedger(db: Db, options: AuditOptions = {}): Promise<LedgerAudit> {
  const isDistributed = await db.form.isDistributed((question) => query(db, question, []));
  const overNodes = (snapshot: Handle): Promise<Wording> =>
    copyTables(
      db,
      snapshot,
      CHECKS.map(({ sql }) => sql),
    );
  return transaction(
    db,
    async (snapshot) =>
      auditSnapshot(snapshot, options, isDistributed ? await overNodes(snapshot) : asWritten),
    { timeoutMs: TIMEOUT_MS, isSnapshot: true, isReadOnly: !isDistributed },
  );
}

/** How a check is asked. */
type Wording = (sql: string) => string;

const asWritten: Wording = (sql) => sql;

const CHECKS = [...LEDGER_CHECKS, ...DEPOSIT_CHECKS, ...REQUEST_CHECKS];

/** The audit inside a transaction. It must be the last step there, because it changes the settings. */
export async function auditSnapshot(
  handle: Handle,
  options: AuditOptions = {},
  worded = asWritten,
): Promise<LedgerAudit> {
  const { limit = 20, onCheck } = options;
  // Sorts of millions of rows go to disk all the same, in fewer pieces.
  await query(handle, SETTINGS, []);
  const [size] = await query<SizeRow>(handle, { ...SIZE, text: worded(SIZE.text) }, []);
  const audited: AuditedCheck[] = [];
  for (const [index, check] of CHECKS.entries()) {
    onCheck?.({ name: check.name, place: index + 1, of: CHECKS.length });
    audited.push(await run(handle, { ...check, sql: worded(check.sql) }, limit));
  }
  return {
    at: new Date(size?.at ?? ''),
    wallets: Number(size?.wallets),
    transactions: Number(size?.transactions),
    checks: audited,
  };
}

async function run(handle: Handle, check: AuditCheck, limit: number): Promise<AuditedCheck> {
  const { name, about, advice, sql } = check;
  const rows = await query<FindingRow>(handle, statementOf(name, sql), [limit]);
  return {
    name,
    about,
    advice,
    faults: Number(rows[0]?.faults ?? 0),
    findings: rows.map(({ subject, what }) => ({ subject, what })),
  };
}

function statementOf(name: string, sql: string): Statement {
  return {
    name: `audit_${name}`,
    text: `SELECT f.subject, f.what, count(*) OVER ()::text AS faults FROM (${sql}) AS f
            ORDER BY f.subject COLLATE "C", f.what COLLATE "C" LIMIT $1::integer`,
  };
}

interface FindingRow {
  readonly subject: string;
  readonly what: string;
  readonly faults: string;
}

interface SizeRow {
  readonly at: string;
  readonly wallets: string;
  readonly transactions: string;
}

const SETTINGS: Statement = {
  name: 'audit_settings',
  text: `SELECT set_config('statement_timeout', '0', true), set_config('work_mem', '64MB', true)`,
};

const SIZE: Statement = {
  name: 'audit_size',
  text: `SELECT to_char(clock_timestamp() AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"') AS at,
                (SELECT count(DISTINCT core.account_of(w.id)) FROM core.wallets w)::text AS wallets,
                (SELECT count(*) FROM core.transactions t)::text AS transactions`,
};
