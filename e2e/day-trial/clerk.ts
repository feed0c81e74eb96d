import { execFile } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { auditLedger, closePeriod, createDb, importStatement, isDaftariError, reconcile } from '@repo/db';
import type { ReconciliationReport } from '@repo/db';
import { bareEnvironment } from '@repo/testing/env';
import { ROOT } from '../env.ts';

/** The period of a paybill or a till: one day of East Africa Time. */
export interface Books {
  readonly shortCode: string;
  /** Its first moment. */
  readonly from: Date;
  /** The first moment after it. */
  readonly to: Date;
}

/** Who imports, reconciles and closes. */
export interface Clerk {
  readonly importFile: (file: StatementFile) => Promise<Imported>;
  readonly reconcile: (books: Books, options: { readonly heal: boolean }) => Promise<ReconciliationReport>;
  /** Null when the books are closed, or why they cannot be. */
  readonly close: (books: Books) => Promise<string | null>;
  /** How many faults there are in the ledger. */
  readonly audit: () => Promise<number>;
}

interface StatementFile {
  readonly shortCode: string;
  readonly extension: string;
  readonly bytes: Buffer;
}

interface Imported {
  readonly lines: number;
  readonly duplicateLines: number;
}

/** Calls what the commands call, in this process. */
export function clerkInProcess(databaseUrl: string): Clerk & AsyncDisposable {
  const db = createDb({ url: databaseUrl, maxConnections: 3 });
  return {
    importFile: (file) => withFile(file, (path) => importStatement(db, path, { shortCode: file.shortCode })),
    reconcile: async (books, { heal }) => (await reconcile(db, { ...books, heal })).report,
    async close(books) {
      try {
        await closePeriod(db, { ...books, items: [], closedBy: 'clerk' });
        return null;
      } catch (error) {
        if (isDaftariError(error) && error.kind === 'refused') return error.message;
        throw error;
      }
    },
    async audit() {
      const { checks } = await auditLedger(db);
      return checks.reduce((sum, { faults }) => sum + faults, 0);
    },
    [Symbol.asyncDispose]: () => db.close(),
  };
}

/** Types the commands. */
export function clerkAtShell(databaseUrl: string): Clerk {
  const run = (script: string, ...parameters: string[]) =>
    runCommand(`tools/database/src/${script}.ts`, parameters, { DATABASE_URL: databaseUrl });
  const periodOf = ({ shortCode, from, to }: Books) => [
    '--short-code',
    shortCode,
    '--from',
    from.toISOString(),
    '--to',
    to.toISOString(),
  ];
  return {
    async importFile(file) {
      const { code, printed, said } = await withFile(file, (path) =>
        run('mpesa-import', path, '--short-code', file.shortCode),
      );
      const [, lines, duplicateLines] = /(\d+) new lines, (\d+) that were there/.exec(printed) ?? [];
      if (code !== 0 || lines === undefined) throw new Error(`mpesa:import failed: ${said}`);
      return { lines: Number(lines), duplicateLines: Number(duplicateLines) };
    },
    async reconcile(books, { heal }) {
      const parameters = [...periodOf(books), '--format', 'json', ...(heal ? ['--heal'] : [])];
      const { code, printed, said } = await run('mpesa-reconcile', ...parameters);
      if (code !== 0 && code !== 1) throw new Error(`mpesa:reconcile failed: ${said}`);
      return JSON.parse(printed) as ReconciliationReport;
    },
    async close(books) {
      const { code, said } = await run('mpesa-close', ...periodOf(books));
      if (code !== 0 && code !== 1) throw new Error(`mpesa:close failed: ${said}`);
      return code === 0 ? null : said.trim();
    },
    async audit() {
      const { code, printed, said } = await run('audit', '--json');
      if (code !== 0 && code !== 1) throw new Error(`db:audit failed: ${said}`);
      const { checks } = JSON.parse(printed) as { readonly checks: readonly { readonly faults: number }[] };
      return checks.reduce((sum, { faults }) => sum + faults, 0);
    },
  };
}

/** Runs a command of the repository to its end. */
export async function runCommand(
  path: string,
  parameters: readonly string[],
  environment: Readonly<Record<string, string>>,
): Promise<{ readonly code: number; readonly printed: string; readonly said: string }> {
  const { promise, resolve } = Promise.withResolvers<{ code: number; printed: string; said: string }>();
  const options = { env: { ...bareEnvironment(), ...environment }, maxBuffer: 256 * 1_048_576 };
  const child = execFile(
    process.execPath,
    [join(ROOT, path), ...parameters],
    options,
    (_error, printed, said) => {
      resolve({ code: child.exitCode ?? -1, printed, said });
    },
  );
  return promise;
}

async function withFile<Result>(
  { bytes, extension }: StatementFile,
  work: (path: string) => Promise<Result>,
): Promise<Result> {
  const folder = await mkdtemp(join(tmpdir(), 'day-trial-'));
  try {
    const path = join(folder, `statement.${extension}`);
    await writeFile(path, bytes);
    return await work(path);
  } finally {
    await rm(folder, { recursive: true });
  }
}
