import type { DumpObject } from './dump-object.ts';

const HEADER = /^-- ==== (?<kind>[a-z ]+?): (?<name>.+) ====$/;

const PREAMBLE = `-- The database as the migrations leave it: every object with every setting that is not the default, without owners
-- and privileges. Made by "pnpm db:dump" from a freshly migrated database, read by "pnpm db:verify", compared by
-- "pnpm check". Do not edit it: write a migration and make it again.

-- Functions and tables refer to each other.
SET check_function_bodies = false;
`;

/** The line above an object in the dump. */
export function headerOf({ kind, name }: Pick<DumpObject, 'kind' | 'name'>): string {
  return `-- ==== ${kind}: ${name} ====`;
}

/** The dump as a readable file, which also runs from top to bottom on an empty database. */
export function renderDump(objects: readonly DumpObject[]): string {
  const blocks = objects.map((object) => `\n${headerOf(object)}\n${object.sql}\n`);
  return PREAMBLE + blocks.join('');
}

/** The objects of a dump's text. A line within an object that looks like a header begins another: to no harm, as long
 * as two texts are compared that have both been read here. */
export function parseDump(text: string): DumpObject[] {
  const objects: DumpObject[] = [];
  let lines: string[] = [];
  for (const line of text.replaceAll('\r\n', '\n').split('\n')) {
    const { kind, name } = HEADER.exec(line)?.groups ?? {};
    if (kind === undefined || name === undefined) {
      lines.push(line);
      continue;
    }
    finish(objects, lines);
    lines = [];
    objects.push({ kind, name, sql: '' });
  }
  finish(objects, lines);
  return objects;
}

function finish(objects: DumpObject[], lines: readonly string[]): void {
  const last = objects.pop();
  if (last !== undefined) objects.push({ ...last, sql: lines.join('\n').trimEnd() });
}
