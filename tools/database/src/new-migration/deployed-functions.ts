import type { Client } from 'pg';
import { IS_USER_SCHEMA, standsAlone } from '../dump/catalog.ts';

/** A function as the database has it. */
export interface DeployedFunction {
  /** `<schema>.<name>`. */
  readonly name: string;
  /** The types by which DROP FUNCTION finds it. */
  readonly identity: string;
  /** What CREATE OR REPLACE cannot change: names, types and defaults of its arguments, and its result. */
  readonly signature: string;
  /** The statement that makes it, without a semicolon. */
  readonly definition: string;
}

const FUNCTIONS = `
  SELECT n.nspname || '.' || p.proname AS name,
         pg_get_function_identity_arguments(p.oid) AS identity,
         pg_get_function_arguments(p.oid) || ' -> ' || pg_get_function_result(p.oid) AS signature,
         pg_get_functiondef(p.oid) AS definition
    FROM pg_proc p
    JOIN pg_namespace n ON n.oid = p.pronamespace
   WHERE p.prokind <> 'a' AND ${IS_USER_SCHEMA} AND ${standsAlone('pg_proc', 'p.oid')}
   ORDER BY 1, 2`;

/** The functions of our schemas. */
export async function readFunctions(client: Client): Promise<DeployedFunction[]> {
  return (await client.query<DeployedFunction>(FUNCTIONS)).rows;
}

/** Drops a function without asking which overload is meant. */
export function dropStatement({ name, identity }: DeployedFunction): string {
  return `DROP FUNCTION ${name}(${identity});`;
}
