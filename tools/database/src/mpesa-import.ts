// mpesa:import: imports a statement of M-PESA from a file.
import { access, constants } from 'node:fs/promises';
import { readCommandLine, refuse } from '@repo/command/command-line';
import type { ImportedStatement } from '@repo/db';
import { print, runCommand } from './command.ts';
import { showProgress } from './terminal/progress.ts';
import { projectAt } from './project.ts';
import { openTarget } from './target.ts';

const USAGE = `Usage: mpesa:import <file> [--short-code <number>] [--skip-bad-rows]

Imports a statement of M-PESA, CSV or XLSX, of the organisation portal or of a till. A line that another file has shown is
not added again, and a file that was imported before changes nothing.

  --short-code <number>  the paybill or till that it is of, for files that do not say
  --skip-bad-rows        import all but the rows that cannot be used, and name these; without it nothing is imported then

Settings, from the environment or .env:
  DATABASE_URL   the database; without it the development database, whose server runs as long as it is used

Exit codes: 0 done, 1 it failed or the file cannot be imported, 2 the command line cannot be used.`;

/** A million rows are written in batches; a batch waits for another import of the same short code. */
const STATEMENT_TIMEOUT_MS = 15 * 60_000;

const { values, positionals } = readCommandLine(USAGE, {
  options: {
    'short-code': { type: 'string' },
    'skip-bad-rows': { type: 'boolean', default: false },
  },
  names: 1,
});

const { createDb, importStatement, isDaftariError } = await import('@repo/db');
const path = positionals[0] ?? refuse('Name the file of the statement.', USAGE);
await access(path, constants.R_OK).catch(() =>
  refuse(`${path} cannot be read: there is no such file, or it is not yours.`, USAGE),
);
const shortCode = values['short-code'];
if (shortCode !== undefined && !/^\d{3,10}$/.test(shortCode)) {
  refuse('--short-code takes the three to ten digits of a paybill or till.', USAGE);
}

await runCommand(async () => {
  await using target = await openTarget(projectAt());
  using progress = showProgress();
  const db = createDb({ url: target.url, maxConnections: 2, statementTimeoutMs: STATEMENT_TIMEOUT_MS });
  try {
    const statement = await importStatement(db, path, {
      skipBadRows: values['skip-bad-rows'],
      importedBy: 'mpesa:import',
      onProgress: (rows) => progress.step(`${String(rows)} rows`),
      ...(shortCode === undefined ? {} : { shortCode }),
    });
    progress.end();
    describe(statement).forEach(print);
    return 0;
  } catch (error) {
    progress.end();
    if (!isDaftariError(error) || error.kind !== 'refused') throw error;
    const advice = error.code === 'short_code_needed' ? `${error.message} (--short-code)` : error.message;
    process.stderr.write(`${advice.replaceAll('skipBadRows', '--skip-bad-rows')}\n`);
    return 1;
  } finally {
    await db.close();
  }
});

function describe(statement: ImportedStatement): string[] {
  const { form, from, to, rows, lines, duplicateLines, skipped, skippedRows, isRepeat } = statement;
  const period = from === null || to === null ? 'no time' : `${from.toISOString()} to ${to.toISOString()}`;
  return [
    ...(isRepeat ? ['This file was imported before; nothing has changed.'] : []),
    `Statement ${statement.id} of ${statement.shortCode}, form ${form}, ${period}`,
    `${String(rows)} rows: ${String(lines)} new lines, ${String(duplicateLines)} that were there, ${String(skipped)} skipped`,
    ...skippedRows.map((row) => `skipped ${row}`),
  ];
}
