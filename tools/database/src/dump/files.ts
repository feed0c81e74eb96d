import { readFile } from 'node:fs/promises';
import { MigrateError, messageOf } from '../errors.ts';
import type { DumpObject } from './dump-object.ts';
import { parseDump } from './dump-text.ts';

/** Reads the committed dump. @throws {MigrateError} DUMP_ABSENT */
export async function readDumpFile(path: string): Promise<DumpObject[]> {
  try {
    return parseDump((await readFile(path, 'utf8')).replaceAll('\r\n', '\n'));
  } catch (cause) {
    throw new MigrateError('DUMP_ABSENT', `${messageOf(cause)}. Make it with db:dump.`, { cause });
  }
}

/** The schemas that a dump makes or uses. */
export function schemasOf(objects: readonly DumpObject[]): string[] {
  const made = objects.filter(({ kind }) => kind === 'schema').map(({ name }) => name.replaceAll('"', ''));
  const usesPublic = objects.some(({ name }) => /(?:^| )public\./.test(name));
  return usesPublic ? [...made, 'public'] : made;
}
