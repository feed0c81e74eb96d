import { openClient } from '@repo/database-url';
import { Client, DatabaseError } from 'pg';
import type { FieldDef, QueryArrayResult, Submittable } from 'pg';
import type { ConnectionTarget } from './connection-url.ts';
import { connectFailure } from './database-errors.ts';
import { ERRORS } from '../errors.ts';

type Row = (string | null)[];

/** A result as the server sent it: every value in its text form. */
export interface TextResult {
  readonly fields: FieldDef[];
  readonly rows: Row[];
  readonly rowCount: number;
}

/**
 * Unqualified names mean the schema of the connection string, as with the native engine. Values are read in their text
 * form, so the form of dates must not depend on the server's settings; the order of day and month in what a script
 * writes stays as it is.
 */
const PREPARE_SESSION = `SELECT pg_backend_pid(),
  set_config('search_path', quote_ident($1), false),
  set_config('datestyle', 'ISO', false)`;

/**
 * All that DISCARD ALL does but giving up advisory locks: the migration lock is one, and it must hold until the end.
 * What a script has set is not meant for the next one, whose author has not read it.
 */
const RESET_SESSION = `CLOSE ALL; RESET SESSION AUTHORIZATION; RESET ROLE; RESET ALL; DEALLOCATE ALL; UNLISTEN *;
  DISCARD PLANS; DISCARD TEMP; DISCARD SEQUENCES`;

const AS_TEXT = { getTypeParser: () => (value: string) => value };

/**
 * One session on one database. There is no pool: a migration, its lock and its bookkeeping belong to one session.
 * Server errors come out as the driver's `DatabaseError`; a session that is gone as P1017.
 */
export class Connection {
  readonly target: ConnectionTarget;
  readonly #client: Client;
  #serverProcess: string | null = null;
  #lost: Error | undefined;
  #running = 0;

  private constructor(target: ConnectionTarget, client: Client) {
    this.target = target;
    this.#client = client;
    client.on('error', (error) => (this.#lost ??= error));
  }

  static async open(target: ConnectionTarget): Promise<Connection> {
    try {
      const connection = new Connection(target, await connectClient(target));
      await connection.#prepare();
      return connection;
    } catch (cause) {
      throw connectFailure(cause, target);
    }
  }

  /** One statement, with parameters in their text form; or several without parameters, for the result of the last. */
  async query(sql: string, values: unknown[] = []): Promise<TextResult> {
    const result = await this.#run<QueryArrayResult<Row> | QueryArrayResult<Row>[]>(() =>
      this.#client.query<Row>({ text: sql, values, rowMode: 'array', types: AS_TEXT }),
    );
    const last = Array.isArray(result) ? result.at(-1) : result;
    return { fields: last?.fields ?? [], rows: last?.rows ?? [], rowCount: last?.rowCount ?? 0 };
  }

  /**
   * A whole script as one message of the simple protocol. The server, not this program, splits it into statements, so
   * any SQL that `psql` takes is taken; and it runs them as one transaction, so a failing script leaves nothing.
   */
  async script(sql: string): Promise<void> {
    try {
      await this.#run(() => this.#client.query(sql));
    } catch (error) {
      // The script may have begun a transaction of its own; what follows must not run inside it. A connection that is
      // lost meanwhile is found out by whatever uses it next: the script's error is the one to report.
      await this.query('ROLLBACK').catch(() => undefined);
      await this.#renew().catch(() => undefined);
      throw error;
    }
    const isOpen = this.#client.getTransactionStatus() !== 'I';
    if (isOpen) await this.query('ROLLBACK');
    await this.#renew();
    if (isOpen) throw ERRORS.openTransaction();
  }

  /** Hands a query object to the driver that speaks the protocol by itself. */
  submit(query: Submittable): void {
    this.#client.query(query);
  }

  /** Stops the statement that is running, if one is. It then fails with SQLSTATE 57014. */
  async cancel(): Promise<void> {
    if (this.#running === 0 || this.#lost) return;
    const other = await connectClient(this.target);
    try {
      await other.query('SELECT pg_cancel_backend($1)', [this.#serverProcess]);
    } finally {
      await other.end();
    }
  }

  async close(): Promise<void> {
    await this.#client.end();
  }

  /** Makes the session what it was when it was opened, for the engine's own statements and for the next script. */
  async #renew(): Promise<void> {
    await this.query(RESET_SESSION);
    await this.#prepare();
  }

  async #prepare(): Promise<void> {
    const { rows } = await this.query(PREPARE_SESSION, [this.target.schema ?? 'public']);
    this.#serverProcess = rows[0]?.[0] ?? null;
  }

  async #run<T>(work: () => Promise<T>): Promise<T> {
    if (this.#lost) throw ERRORS.connectionLost(this.target, this.#lost);
    this.#running += 1;
    try {
      return await work();
    } catch (cause) {
      if (cause instanceof DatabaseError && !this.#lost && cause.severity !== 'FATAL') throw cause;
      this.#lost ??= cause instanceof Error ? cause : new Error(String(cause));
      throw ERRORS.connectionLost(this.target, cause);
    } finally {
      this.#running -= 1;
    }
  }
}

/** The engine's own settings, where the connection string has none. */
const SETTINGS = {
  application_name: 'prisma-schema-engine',
  connectionTimeoutMillis: 5_000,
  keepAlive: true,
};

/** Opens a session, over TLS where the connection string wants it or allows it and the server has it. */
function connectClient(target: ConnectionTarget): Promise<Client> {
  return openClient(target, SETTINGS, { create: (config) => new Client(config) });
}
