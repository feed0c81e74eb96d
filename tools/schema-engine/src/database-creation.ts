import { setTimeout as sleep } from 'node:timers/promises';
import { Connection } from './connection/connection.ts';
import { withDatabase } from './connection/connection-url.ts';
import type { ConnectionTarget } from './connection/connection-url.ts';
import { hasState } from './connection/database-errors.ts';
import { EngineError, ERRORS } from './errors.ts';
import { identifier } from './identifier.ts';

/** Databases that exist on most servers; the last is the one on DigitalOcean. */
const MAINTENANCE_DATABASES = ['postgres', 'template1', 'defaultdb'];
const ALREADY_EXISTS = ['42P04', '23505'];
const IN_USE = '55006';
const NOT_PERMITTED = '42501';
const ATTEMPTS = 25;
const PAUSE_MS = 200;

/**
 * Creates the database that a connection string names, and its schema. That another deployer was faster is no error:
 * what was asked for is there.
 */
export async function createDatabase(target: ConnectionTarget): Promise<void> {
  const maintenance = await openMaintenanceDatabase(target);
  try {
    await createEmptyDatabase(maintenance, target.database);
  } catch (cause) {
    if (!hasState(cause, ...ALREADY_EXISTS)) throw ERRORS.creationFailed(target.database, cause);
  } finally {
    await maintenance.close();
  }
  await createSchema(target);
}

/** Drops the database that a connection string names. */
export async function dropDatabase(target: ConnectionTarget): Promise<void> {
  const maintenance = await openMaintenanceDatabase(target);
  try {
    await maintenance.query(`DROP DATABASE ${identifier(target.database)}`);
  } finally {
    await maintenance.close();
  }
}

/** CREATE DATABASE, again for a while when a session on the template database is in the way. */
export function createEmptyDatabase(connection: Connection, name: string): Promise<void> {
  return queryUntilFree(connection, `CREATE DATABASE ${identifier(name)}`, [IN_USE]);
}

/**
 * Drops a database, and ends the sessions on it. Only a superuser may end a superuser's, and a worker of autovacuum counts
 * as one: it goes by itself, so the statement is repeated for a while.
 */
export function dropWithSessions(connection: Connection, name: string): Promise<void> {
  const statement = `DROP DATABASE IF EXISTS ${identifier(name)} WITH (FORCE)`;
  return queryUntilFree(connection, statement, [IN_USE, NOT_PERMITTED]);
}

async function queryUntilFree(
  connection: Connection,
  statement: string,
  passing: readonly string[],
): Promise<void> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      await connection.query(statement);
      return;
    } catch (error) {
      if (!hasState(error, ...passing) || attempt === ATTEMPTS) throw error;
      await sleep(PAUSE_MS);
    }
  }
}

async function createSchema(target: ConnectionTarget): Promise<void> {
  const connection = await Connection.open(target);
  try {
    await connection.query(`CREATE SCHEMA IF NOT EXISTS ${identifier(target.schema ?? 'public')}`);
  } catch (cause) {
    // IF NOT EXISTS does not help two sessions that create the schema at the same moment.
    if (!hasState(cause, '23505', '42P06')) throw cause;
  } finally {
    await connection.close();
  }
}

async function openMaintenanceDatabase(target: ConnectionTarget): Promise<Connection> {
  for (const database of MAINTENANCE_DATABASES) {
    try {
      return await Connection.open(withDatabase(target, database));
    } catch (error) {
      const unusable = error instanceof EngineError && (error.code === 'P1003' || error.code === 'P1010');
      if (!unusable) throw error;
    }
  }
  throw ERRORS.noMaintenanceDatabase(target, MAINTENANCE_DATABASES);
}
