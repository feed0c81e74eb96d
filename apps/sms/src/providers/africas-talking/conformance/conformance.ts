import { Console } from 'node:console';
import { readFile, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { checkSample } from './checks.ts';
import type { CheckedRow, Sample } from './checks.ts';

/**
 * Reads recorded messages of Africa's Talking, byte for byte, and shows what was understood.
 *
 *   node src/providers/africas-talking/conformance/conformance.ts <folder>
 *
 * The folder holds one JSON file a message: `category` (`at-response`, `at-delivery-report`, `at-optout` or
 * `at-request`), `raw`, `http_status` of a response, and `body`, the parsed form with which the
 * result is compared. Other categories are passed over. The process ends with 1 when something was understood
 * otherwise than the sample says, or when there was no sample.
 */
const [folder] = process.argv.slice(2);
if (folder === undefined) {
  process.stderr.write('usage: node src/providers/africas-talking/conformance/conformance.ts <folder>\n');
  process.exit(64);
}
process.exitCode = (await runConformance(folder)) ? 0 : 1;

async function runConformance(from: string): Promise<boolean> {
  const names = (await readdir(from)).filter((name) => name.endsWith('.json')).toSorted();
  const rows: CheckedRow[] = [];
  let messages = 0;
  for (const name of names) {
    const sample = JSON.parse(await readFile(join(from, name), 'utf8')) as Sample;
    if (!sample.category.startsWith('at-')) continue;
    messages += 1;
    rows.push(...checkSample(name.replace(/\.json$/, ''), sample));
  }
  const terminal = new Console(process.stdout);
  terminal.table(rows);
  const wrong = rows.filter(({ differs }) => differs !== '').length;
  terminal.log(`${String(messages)} messages, ${String(rows.length)} readings, ${String(wrong)} wrong`);
  return messages > 0 && wrong === 0;
}
