import { EngineError, ERRORS } from '../errors.ts';
import { describeScriptFailure, sqlState } from './script-failure.ts';
import type { ScriptFailure } from './script-failure.ts';
import { faultOfText } from './script-text.ts';

/** A migration as the CLI sends it: with the text of its file, or why that could not be read. */
export interface MigrationDirectory {
  readonly path: string;
  readonly migrationFile: { readonly content: { readonly tag: string; readonly value: string } };
}

/**
 * P3018, which the WebAssembly engine does not raise by itself: which migration failed, with which SQLSTATE, why and
 * where. Undefined if the script that failed is none of the migrations.
 */
export function migrationFailure(
  failure: ScriptFailure,
  migrations: readonly MigrationDirectory[],
): EngineError | undefined {
  const candidates = migrations.filter(({ migrationFile }) => migrationFile.content.value === failure.script);
  // Two migrations may have the same text; the history then says which one was begun.
  const migration = candidates.find(({ path }) => failure.recorded?.includes(path)) ?? candidates[0];
  if (!migration) return undefined;
  const code = sqlState(failure.cause);
  const description = describeScriptFailure(failure);
  const message = [
    `Migration \`${migration.path}\` failed. No further migration is applied until this one is resolved: ` +
      'https://pris.ly/d/migrate-resolve',
    `Migration name: ${migration.path}`,
    `Database error code: ${code}`,
    `Database error:\nERROR: ${description}`,
  ].join('\n\n');
  return new EngineError(`${message}\n`, {
    code: 'P3018',
    cause: failure.cause,
    meta: { migration_name: migration.path, database_error_code: code, database_error: description },
  });
}

/** P3015 as well for a file that is there and cannot be read as SQL: in another encoding, or empty. */
export function unreadableText(migrations: readonly MigrationDirectory[]): EngineError | undefined {
  const faults = migrations.flatMap(({ path, migrationFile: { content } }) => {
    const fault = content.tag === 'ok' ? faultOfText(content.value) : undefined;
    return fault === undefined ? [] : [`${path}/migration.sql ${fault}`];
  });
  return faults.length > 0 ? ERRORS.migrationText(faults) : undefined;
}

/** P3015. The WebAssembly engine names only the file, which is always the same, and not the folder. */
export function missingFile(migrations: readonly MigrationDirectory[]): EngineError | undefined {
  const missing = migrations.filter(({ migrationFile }) => migrationFile.content.tag === 'error');
  return missing.length > 0 ? ERRORS.migrationFileMissing(missing.map(({ path }) => path)) : undefined;
}
