import { toDaftariError } from './database-error.ts';
import type { Prisma } from '../generated/client.ts';

/** One SQL statement of this package. The name is what it is prepared under, so it belongs to the text forever. */
export interface Statement {
  readonly name: string;
  readonly text: string;
  /** What asks the same of a database that lies on several servers, where one query cannot join all tables. */
  readonly overNodes?: string;
}

/** Asks a statement without parameters. */
export type Ask = (statement: Statement) => Promise<readonly unknown[]>;

/**
 * Whether a database lies on one server or on several, which `db:distribute` made of it. The first statement that has two texts
 * asks it.
 */
export interface Form {
  isDistributed(ask: Ask): Promise<boolean>;
  /** The statement as this database can be asked it. */
  fit(statement: Statement, ask: Ask): Promise<Statement>;
}

/** What can be sent as a parameter; lists go as PostgreSQL array literals (see array-literal.ts). */
export type Value = string | number | boolean | null | Uint8Array;

/** Where functions of this package run: the database, or a transaction of it. */
export interface Handle {
  /** Prisma's typed client for the reads that this package has no function for. */
  readonly prisma: Prisma.TransactionClient;
  /** Whether the database lies on one server or on several. */
  readonly form: Form;
  run(statement: Statement, values: readonly Value[]): Promise<unknown[]>;
}

/**
 * Runs one statement on a handle: on the pool, or inside the transaction that the handle is.
 *
 * The two ways convert types differently, so every statement of this package returns text, int4 and boolean only.
 */
export async function query<Row>(
  handle: Handle,
  statement: Statement,
  values: readonly Value[],
): Promise<Row[]> {
  return (await handle.run(statement, values)) as Row[];
}

/**
 * Awaits what Prisma's client reads. Its errors quote values of rows and have codes of their own, so callers get those of
 * the catalogue instead.
 */
export async function read<Found>(reading: PromiseLike<Found>): Promise<Found> {
  try {
    return await reading;
  } catch (error) {
    throw toDaftariError(error);
  }
}
