import { readFile, readdir } from 'node:fs/promises';
import { basename, join } from 'node:path';

/** How many arguments need no names. */
const MOST_UNNAMED = 1;

/**
 * Whether calls from SQL to SQL name their arguments (`p_wallet => ...`), where there are several.
 *
 * @returns what is wrong, in sentences
 */
export async function checkNamedCalls(directory: string): Promise<string[]> {
  const files = (await readdir(directory, { recursive: true })).filter((path) => path.endsWith('.sql'));
  const functions = new Set(files.map((path) => basename(path, '.sql')));
  const problems: string[] = [];
  for (const path of files.toSorted()) {
    const body = bodyOf(await readFile(join(directory, path), 'utf8'));
    for (const { name, args } of callsIn(body)) {
      const isNamed = args.every((arg) => /^\s*p_\w+ =>/.test(arg));
      if (functions.has(name) && args.length > MOST_UNNAMED && !isNamed) {
        problems.push(`${basename(path)} calls ${name} with ${args.length} arguments and does not name them`);
      }
    }
  }
  return problems;
}

/** What is between the dollar signs, without comments and without what texts contain. */
function bodyOf(sql: string): string {
  return sql
    .slice(sql.indexOf('$$'))
    .replaceAll(/--.*/g, '')
    .replaceAll(/'(?:[^']|'')*'/g, "''");
}

function callsIn(body: string): { name: string; args: string[] }[] {
  return [...body.matchAll(/\b((?:core|services)\.\w+)\(/g)].map((call) => ({
    name: call[1] ?? '',
    args: argumentsFrom(body, call.index + call[0].length),
  }));
}

/** The arguments of the call whose parenthesis was opened before this place. */
function argumentsFrom(body: string, start: number): string[] {
  const args: string[] = [];
  let depth = 0;
  let from = start;
  for (let at = start; at < body.length; at += 1) {
    const character = body.charAt(at);
    if ('(['.includes(character)) depth += 1;
    if (')]'.includes(character)) depth -= 1;
    if (depth < 0 || (depth === 0 && character === ',')) {
      args.push(body.slice(from, at));
      from = at + 1;
    }
    if (depth < 0) break;
  }
  return args;
}
