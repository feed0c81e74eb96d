import { DaftariError, isDaftariError } from '../errors.ts';
import type { ErrorCode } from '../error-codes/catalogue.ts';

/** What may be shown of a database error: no message and no detail, because both can quote the values of a row. */
export class ScrubbedCause extends Error {
  override readonly name = 'ScrubbedCause';
  /** SQLSTATE, or the code of the network error; null when the error had no code. */
  readonly code: string | null;
  readonly constraint: string | null;
  readonly table: string | null;

  constructor(source: Error, code: string | null) {
    const constraint = constraintOf(source);
    const table = textOf(source, 'table');
    const where = [table && `table ${table}`, constraint && `constraint ${constraint}`].filter(Boolean);
    super([`${source.name} ${code ?? 'without a code'}`, ...where].join(', '));
    this.code = code;
    this.constraint = constraint;
    this.table = table;
    this.stack = [`${this.name}: ${this.message}`, ...framesOf(source)].join('\n');
  }
}

/**
 * Where it happened. A stack begins with the message, which is left out; when it does not begin with the message as it
 * is now, a frame cannot be distinguished from a quoted value that only looks like one.
 */
function framesOf(error: Error): string[] {
  const stack = error.stack ?? '';
  const start = stack.indexOf(error.message);
  if (start === -1) return [];
  return stack
    .slice(start + error.message.length)
    .split('\n')
    .filter((line) => line.startsWith('    at '));
}

const BY_SQLSTATE: Readonly<Record<string, ErrorCode>> = {
  '25P02': 'transaction_lost',
  '40001': 'database_busy',
  '40P01': 'database_busy',
  '55P03': 'database_busy',
  '57014': 'database_busy',
  '42883': 'schema_outdated',
  '42P01': 'schema_outdated',
  '42703': 'schema_outdated',
  '3F000': 'schema_outdated',
  // A standby, or a primary that has just become one.
  '25006': 'database_not_primary',
  server_role: 'database_not_primary',
  '53100': 'database_unavailable',
  '53200': 'database_unavailable',
  '53300': 'database_unavailable',
  '57P03': 'database_unavailable',
  '28P01': 'database_unavailable',
  '28000': 'database_unavailable',
  '3D000': 'database_unavailable',
  '57P01': 'outcome_unknown',
  '57P02': 'outcome_unknown',
  // One node of a distributed database has lost another: what it had prepared there may be finished later.
  '08000': 'outcome_unknown',
  '08001': 'outcome_unknown',
  '08003': 'outcome_unknown',
  '08004': 'outcome_unknown',
  '08006': 'outcome_unknown',
  '08007': 'outcome_unknown',
  DF001: 'append_only',
  DF002: 'around_the_door',
  DF003: 'around_the_door',
  DF004: 'append_only',
  DF020: 'period_closed',
  ECONNREFUSED: 'database_unavailable',
  ENOTFOUND: 'database_unavailable',
  EHOSTUNREACH: 'database_unavailable',
  EAI_AGAIN: 'database_unavailable',
  ETIMEDOUT: 'outcome_unknown',
  ECONNRESET: 'outcome_unknown',
  EPIPE: 'outcome_unknown',
  P1001: 'database_unavailable',
  P1017: 'outcome_unknown',
  P2028: 'transaction_timeout',
  P2034: 'database_busy',
  // Prisma turns an error of the pool into one of its own, with the same code.
  pool_exhausted: 'pool_exhausted',
  database_unavailable: 'database_unavailable',
  database_not_primary: 'database_not_primary',
  database_not_durable: 'database_not_durable',
};

// Errors that pg raises itself carry no code. A test cuts connections to see that these are still its words.
const LOST_CONNECTION =
  /^(Connection terminated|Client has encountered a connection error|Query read timeout)/;

// One node of a distributed database lost another, and says so as an internal error (XX000).
const LOST_NODE = /failure on connection marked as essential|postmaster was shut down/;

/** Turns whatever the driver or Prisma threw into an error of the catalogue. */
export function toDaftariError(error: unknown, fallback: ErrorCode = 'database_error'): DaftariError {
  if (isDaftariError(error)) return error;
  if (!(error instanceof Error)) return new DaftariError(fallback);
  const code = databaseCode(error);
  const known = code === null ? undefined : BY_SQLSTATE[code];
  const isLost = LOST_CONNECTION.test(error.message) || (code === 'XX000' && LOST_NODE.test(error.message));
  const spoken = isLost ? 'outcome_unknown' : undefined;
  const cause = new ScrubbedCause(error, code);
  if (isOfPooler(error, code))
    return new DaftariError('database_unavailable', { advice: POOLER_UNSET, cause });
  return new DaftariError(known ?? spoken ?? fallback, { cause });
}

const POOLER_UNSET =
  'DATABASE_URL leads to a pooler in transaction mode: set DATABASE_POOLER=transaction (pooler: true for createDb). Nothing was recorded.';

/**
 * Whether this is what a pooler in transaction mode makes of a client that takes it for a server: it refuses our
 * start-up parameters, or hands out a connection on which our statement was not prepared, or another's was.
 */
export function isOfPooler(error: Error, code: string | null): boolean {
  if (code === '08P01') return error.message.includes('unsupported startup parameter');
  return code === '26000' || code === '42P05';
}

/** Whether pg, Prisma or its adapter threw this. Anything else is left to the code that threw it. */
export function isOfDatabase(error: unknown): error is Error {
  if (!(error instanceof Error)) return false;
  return /^(PrismaClient|DriverAdapter)|^error$/.test(error.name) || LOST_CONNECTION.test(error.message);
}

/** When two requests take one new key at the same moment, the later one is undone. Retried, it finds the key taken. */
const RACED_KEYS: readonly (string | null)[] = [
  'requests_pkey',
  'transactions_reference_key',
  'idx_mpesa_logs_receipt',
];

/** What the name of a key ends in on a shard, where tables are distributed. */
const SHARD = /_[0-9]+$/;

/** Worth another try, because the database undid all of it: deadlock, serialization failure, a race for a key. */
export function isTransient(error: unknown): boolean {
  if (!(error instanceof Error)) return false;
  const source = isDaftariError(error) && error.cause instanceof ScrubbedCause ? error.cause : error;
  const code = source instanceof ScrubbedCause ? source.code : databaseCode(source);
  if (code === '23505') return RACED_KEYS.includes(constraintOf(source)?.replace(SHARD, '') ?? null);
  return code === '40001' || code === '40P01' || code === 'P2034';
}

function constraintOf(error: Error): string | null {
  const ofPrisma = at(error, 'meta', 'driverAdapterError', 'cause', 'constraint');
  return textOf(error, 'constraint') ?? textOf(ofPrisma, 'index');
}

/**
 * SQLSTATE or network code of an error. Prisma hides it in one of three places, depending on whether a model call, a
 * raw query or the COMMIT failed (measured on 7.10).
 */
export function databaseCode(error: Error): string | null {
  for (const holder of [at(error, 'meta', 'driverAdapterError', 'cause'), at(error, 'cause')]) {
    const original = textOf(holder, 'originalCode');
    if (original !== null) return original;
  }
  const own = textOf(error, 'code');
  if (own !== null) return own;
  // Every address of a host refused: Node reports them together.
  const first: unknown = error instanceof AggregateError ? error.errors[0] : undefined;
  return first instanceof Error ? databaseCode(first) : null;
}

function at(value: unknown, ...path: readonly string[]): unknown {
  return path.reduce<unknown>((inner, key) => (isRecord(inner) ? inner[key] : undefined), value);
}

function textOf(value: unknown, key: string): string | null {
  const found = at(value, key);
  return typeof found === 'string' && found !== '' ? found : null;
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null;
}
