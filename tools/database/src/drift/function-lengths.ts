import { readFile, readdir } from 'node:fs/promises';
import { basename, join } from 'node:path';

/** How many lines the longest function may have, its header left out. It only goes down. */
const MOST_LINES = 271;

/**
 * Whether no function is longer than the longest may be, and whether that limit is as low as it can be.
 *
 * @returns what is wrong, in sentences
 */
export async function checkFunctionLengths(directory: string, most = MOST_LINES): Promise<string[]> {
  const files = (await readdir(directory, { recursive: true })).filter((path) => path.endsWith('.sql'));
  const lengths = await Promise.all(
    files.map(async (path) => ({
      file: basename(path),
      lines: linesOf(await readFile(join(directory, path), 'utf8')),
    })),
  );
  const longest = Math.max(...lengths.map(({ lines }) => lines));
  if (longest < most) return [`the longest function has ${longest} lines: lower MOST_LINES to that`];
  return lengths
    .filter(({ lines }) => lines > most)
    .map(({ file, lines }) => `${file} has ${lines} lines, ${most} is the most: move a part of it out`);
}

/** From CREATE to the end. */
function linesOf(sql: string): number {
  return sql
    .slice(sql.search(/^CREATE/m))
    .trimEnd()
    .split('\n').length;
}
