import { faultText } from '@repo/statements';
import type { StatementForm, StatementLine, StatementSummary } from '@repo/statements';
import { arrayLiteral } from '../connection/array-literal.ts';
import type { Statement, Value } from '../connection/handle.ts';
import { formatCents } from '../money.ts';
import type { ImportedStatement } from './imported-statement.ts';

export const BEGIN: Statement = {
  name: 'mpesa_statement_begin',
  text: `
SELECT id::text AS id, is_known
  FROM services.begin_mpesa_statement($1::text, $2::text, $3::text, $4::text, $5::text)`,
};

export const ADD_LINES: Statement = {
  name: 'mpesa_statement_lines_add',
  text: `
SELECT services.add_mpesa_statement_lines(
    $1::uuid, $2::text, $3::integer[], $4::text[], $5::timestamp[], $6::text[], $7::text[], $8::boolean[], $9::text[],
    $10::numeric[], $11::numeric[], $12::numeric[], $13::text[], $14::text[], $15::text[], $16::text[], $17::text[]
) AS added`,
};

export const FINISH: Statement = {
  name: 'mpesa_statement_finish',
  text: `
SELECT services.finish_mpesa_statement(
    $1::uuid, $2::timestamp, $3::timestamp, $4::numeric, $5::numeric, $6::numeric, $7::numeric, $8::numeric, $9::numeric,
    $10::numeric, $11::numeric, $12::integer, $13::integer, $14::integer, $15::integer, $16::integer, $17::text[]
)::text AS done`,
};

export const FIND_STATEMENT: Statement = {
  name: 'mpesa_statement_find',
  text: `
SELECT id::text AS id, form::text AS form, short_code, account, rows, lines, duplicate_lines, skipped,
       array_to_string(skipped_rows, E'\\n') AS skipped_rows,
       opening::text AS opening, closing::text AS closing, sha256,
       (extract(epoch FROM from_at) * 1000)::bigint::text AS from_ms,
       (extract(epoch FROM to_at) * 1000)::bigint::text AS to_ms
  FROM services.mpesa_statements
 WHERE id = $1::uuid`,
};

export interface StatementRow {
  readonly id: string;
  readonly form: StatementForm;
  readonly short_code: string;
  readonly account: string | null;
  readonly rows: number;
  readonly lines: number;
  readonly duplicate_lines: number;
  readonly skipped: number;
  /** One a line. */
  readonly skipped_rows: string;
  readonly opening: string | null;
  readonly closing: string | null;
  readonly sha256: string;
  readonly from_ms: string | null;
  readonly to_ms: string | null;
}

export function statementOf(row: StatementRow): Omit<ImportedStatement, 'isRepeat'> {
  return {
    id: row.id,
    form: row.form,
    shortCode: row.short_code,
    account: row.account,
    from: dateOf(row.from_ms),
    to: dateOf(row.to_ms),
    rows: row.rows,
    lines: row.lines,
    duplicateLines: row.duplicate_lines,
    skipped: row.skipped,
    skippedRows: row.skipped_rows === '' ? [] : row.skipped_rows.split('\n'),
    ...(row.opening === null ? {} : { openingBalance: row.opening }),
    ...(row.closing === null ? {} : { closingBalance: row.closing }),
    sha256: row.sha256,
  };
}

export function lineValues(
  statement: { readonly id: string; readonly accountKey: string },
  lines: readonly StatementLine[],
): Value[] {
  const column = (pick: (line: StatementLine) => string | null) => arrayLiteral(lines.map(pick));
  return [
    statement.id,
    statement.accountKey,
    `{${lines.map(({ row }) => row).join(',')}}`,
    column((line) => line.receipt),
    column((line) => timestampOf(line.completedAt)),
    column((line) => line.details),
    column((line) => line.status),
    `{${lines.map(({ isCompleted }) => String(isCompleted)).join(',')}}`,
    column((line) => line.kind),
    column((line) => formatCents(line.paidIn)),
    column((line) => formatCents(line.withdrawn)),
    column((line) => moneyOf(line.balance)),
    column((line) => line.reason),
    column((line) => line.account),
    column((line) => line.phone),
    column((line) => line.payerName),
    column((line) => line.linkedReceipt),
  ];
}

export function finishValues(id: string, summary: StatementSummary, added: number): Value[] {
  const { preamble, balances, first, last } = summary;
  return [
    id,
    timestampOrNull(preamble.from ?? first),
    timestampOrNull(preamble.to ?? last),
    moneyOf(preamble.opening),
    moneyOf(preamble.closing),
    moneyOf(preamble.paidIn),
    moneyOf(preamble.withdrawn),
    formatCents(summary.paidIn),
    formatCents(summary.withdrawn),
    moneyOf(balances.opening),
    moneyOf(balances.closing),
    balances.breaks,
    balances.firstBreak,
    summary.rows,
    added,
    summary.faultCount,
    arrayLiteral(summary.faults.map(faultText)),
  ];
}

function timestampOf(ms: number): string {
  return new Date(ms).toISOString().slice(0, -1);
}

function timestampOrNull(ms: number | null): string | null {
  return ms === null ? null : timestampOf(ms);
}

function moneyOf(cents: bigint | null): string | null {
  return cents === null ? null : formatCents(cents);
}

function dateOf(ms: string | null): Date | null {
  return ms === null ? null : new Date(Number(ms));
}
