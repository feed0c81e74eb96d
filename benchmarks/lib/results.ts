import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { fill } from './markdown.ts';
import type { Values } from './markdown.ts';

/** Where the results of whole runs go. */
export const RESULTS = join(import.meta.dirname, '..', 'results');

/** Fills a template, `<name>.template.md`, with what was measured, and writes it to the folder as `<name>.md`. */
export async function writeResults(template: string, folder: string, values: Values): Promise<void> {
  const text = fill(await readFile(template, 'utf8'), values);
  await mkdir(folder, { recursive: true });
  await writeFile(join(folder, basename(template).replace('.template', '')), text);
}

/** What was typed after the name of the script. */
export function typedCommand(script: string): string {
  return ['pnpm', script, ...process.argv.slice(2)].join(' ');
}
