export { ROW_FAULTS, StatementError, faultText, isStatementError } from './errors.ts';
export type { RowFault, RowFaultReason, StatementErrorCode } from './errors.ts';
export type { StatementForm } from './columns.ts';
export type { LineKind } from './kinds.ts';
export type { StatementLine } from './line.ts';
export type { Preamble } from './preamble.ts';
export { readStatement } from './read-statement.ts';
export type { StatementHead, StatementSink, StatementSummary } from './read-statement.ts';
export type { BalanceCheck } from './running-balance.ts';
