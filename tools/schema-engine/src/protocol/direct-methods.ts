import type * as api from '@prisma/schema-engine-wasm/schema_engine_bg';
import { Connection } from '../connection/connection.ts';
import type { ConnectionTarget } from '../connection/connection-url.ts';
import { createDatabase } from '../database-creation.ts';
import { EngineError, ERRORS } from '../errors.ts';
import { describeScriptFailure, sqlState } from '../scripts/script-failure.ts';
import type { Session } from '../connection/session.ts';
import { introspectSql } from '../typed-sql/typed-sql.ts';

type Method = (target: ConnectionTarget, params: never, session: Session) => Promise<unknown>;

/**
 * The methods that need no engine, only the database: the WebAssembly engine cannot create a database or describe a
 * query, and would say less of what is wrong with a script.
 */
export const DIRECT_METHODS: Readonly<Record<string, Method>> = {
  createDatabase: async (target) => {
    await createDatabase(target);
    return { databaseName: target.database };
  },
  dbExecute: async (target, { script }: api.DbExecuteParams, session) => {
    await executeScript(target, script, session);
    return {};
  },
  introspectSql: (target, params: api.IntrospectSqlParams) => introspectSql(target, params),
};

/** `prisma db execute`: one script, all of it or nothing. */
async function executeScript(target: ConnectionTarget, script: string, session: Session): Promise<void> {
  const connection = await Connection.open(target);
  session.connections.add(connection);
  try {
    await connection.script(script);
  } catch (cause) {
    if (cause instanceof EngineError) throw cause;
    throw ERRORS.scriptFailed(describeScriptFailure({ script, cause }), sqlState(cause), cause);
  } finally {
    session.connections.delete(connection);
    await connection.close();
  }
}
