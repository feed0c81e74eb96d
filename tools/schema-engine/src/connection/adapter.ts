import { DatabaseError } from 'pg';
import { DriverAdapterError } from '@prisma/driver-adapter-utils';
import type {
  ConnectionInfo,
  SqlDriverAdapter,
  SqlQuery,
  SqlResultSet,
  Transaction,
} from '@prisma/driver-adapter-utils';
import { lockNumber, refusePooler, waitForLock } from './advisory-lock.ts';
import { columnType, columnValue } from './column-types.ts';
import type { Connection } from './connection.ts';
import { hasState } from './database-errors.ts';
import { EngineError, ERRORS } from '../errors.ts';
import { describeScriptFailure, sqlState } from '../scripts/script-failure.ts';
import type { ScriptFailure } from '../scripts/script-failure.ts';
import type { Session } from './session.ts';

/** `internal_error`, to which the engine attaches no meaning. */
const UNKNOWN_STATE = 'XX000';

/** The database as the WebAssembly engine sees it: one connection, and whole scripts. */
export class Adapter implements SqlDriverAdapter {
  readonly provider = 'postgres';
  readonly adapterName = 'schema-engine';
  readonly #session: Session;
  readonly #connection: Connection;
  readonly #release: () => Promise<void>;

  constructor(session: Session, connection: Connection, release: () => Promise<void>) {
    this.#session = session;
    this.#connection = connection;
    this.#release = release;
  }

  async queryRaw(query: SqlQuery): Promise<SqlResultSet> {
    this.#session.trace('query', query.sql);
    if (query.sql.startsWith('INSERT INTO "_prisma_migrations"')) this.#session.recorded = query.args;
    const { fields, rows } = await this.#guard(query.sql, () =>
      this.#connection.query(query.sql, query.args),
    );
    return {
      columnNames: fields.map((field) => field.name),
      columnTypes: fields.map((field) => columnType(field.dataTypeID)),
      rows: rows.map((row) =>
        fields.map((field, index) => columnValue(field.dataTypeID, row[index] ?? null)),
      ),
    };
  }

  async executeRaw(query: SqlQuery): Promise<number> {
    this.#session.trace('execute', query.sql);
    const lock = lockNumber(query.sql);
    return this.#guard(query.sql, async () => {
      if (lock === undefined) return (await this.#connection.query(query.sql, query.args)).rowCount;
      if (this.#session.advisoryLock) await this.#lock(lock);
      return 1;
    });
  }

  async #lock(lock: string): Promise<void> {
    const { stop } = this.#session;
    await refusePooler(this.#connection);
    await waitForLock(this.#connection, lock, {
      stop,
      onHeld: (holder) => (this.#session.lockHolder = holder),
    });
  }

  async executeScript(script: string): Promise<void> {
    this.#session.trace('script', script);
    await this.#guard(script, async () => {
      try {
        await this.#connection.script(script);
      } catch (cause) {
        const failure = (this.#session.scriptFailure = { script, cause, recorded: this.#session.recorded });
        throw cause instanceof EngineError ? cause : scriptError(failure);
      }
    });
  }

  startTransaction(): Promise<Transaction> {
    return Promise.reject(new EngineError('The schema engine opens no transaction of its own.'));
  }

  getConnectionInfo(): ConnectionInfo {
    const { schema } = this.#connection.target;
    return { supportsRelationJoins: true, ...(schema === undefined ? {} : { schemaName: schema }) };
  }

  dispose(): Promise<void> {
    return this.#release();
  }

  /**
   * Runs one operation, remembers an error that the engine must not survive, and translates the others.
   * After such an error nothing more is sent to the server within the same request.
   */
  async #guard<T>(sql: string, work: () => Promise<T>): Promise<T> {
    if (this.#session.failure) throw this.#session.failure;
    // Once told to stop, the engine may still write down how the last migration ended, and begin nothing.
    if (this.#session.stop.aborted && !/^UPDATE\b/.test(sql))
      throw (this.#session.failure = ERRORS.stopped());
    try {
      return await work();
    } catch (error) {
      this.#session.trace('failed', error instanceof Error ? error.message : error);
      const fatal = fatalError(error, sql);
      if (fatal === undefined) throw driverError(error);
      this.#session.failure = fatal;
      throw fatal;
    }
  }
}

/**
 * The engine takes every error of its query of `_prisma_migrations` for "there is no such table", and would go on as
 * if no migration had ever been applied. Only "undefined table" and "undefined schema" mean that.
 */
function fatalError(error: unknown, sql: string): Error | undefined {
  if (error instanceof EngineError) return error;
  const readsHistory = /^SELECT\b.*\bFROM\s+\S*"_prisma_migrations"/s.test(sql);
  return readsHistory && !hasState(error, '42P01', '3F000') ? ERRORS.historyUnreadable(error) : undefined;
}

function driverError(error: unknown): unknown {
  if (!(error instanceof DatabaseError)) return error;
  const code = error.code ?? UNKNOWN_STATE;
  return new DriverAdapterError({
    kind: 'postgres',
    originalCode: code,
    originalMessage: error.message,
    code,
    severity: error.severity ?? 'ERROR',
    message: error.message,
    detail: error.detail,
    column: error.column,
    hint: error.hint,
  });
}

/**
 * The engine puts the message of a failed script into the migration history and shows it when a migration fails on the
 * shadow database. For some SQLSTATEs it would put a shorter message of its own in its place, so it does not get the
 * SQLSTATE.
 */
function scriptError(failure: ScriptFailure): DriverAdapterError {
  const message = `${describeScriptFailure(failure)}\n(SQLSTATE ${sqlState(failure.cause)})`;
  return new DriverAdapterError({
    kind: 'postgres',
    originalCode: UNKNOWN_STATE,
    originalMessage: message,
    code: UNKNOWN_STATE,
    severity: 'ERROR',
    message,
    detail: undefined,
    column: undefined,
    hint: undefined,
  });
}
