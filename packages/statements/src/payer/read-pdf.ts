import { readFile } from 'node:fs/promises';
import { Worker } from 'node:worker_threads';
import { StatementError } from '../errors.ts';
import type { PdfAnswer, PdfWork } from './pdf-worker.ts';

/** Six months of M-PESA are read within a second or two. */
const LONGEST_MS = 60_000;

/** In MiB: a stranger's file must not take the memory of the service. */
const MOST_MEMORY = 256;

/**
 * The texts of a PDF, read in a thread of its own that is ended when it takes too long.
 *
 * @throws StatementError
 */
export async function readPdf(
  path: string,
  password: string | null,
): Promise<Extract<PdfAnswer, { readonly pages: number }>> {
  const bytes = new Uint8Array(await readFile(path));
  if (bytes.length === 0) throw new StatementError('file_empty');
  // Readers allow something before it.
  if (!Buffer.from(bytes.subarray(0, 1_024)).includes('%PDF-')) throw new StatementError('file_not_pdf');
  const answer = await inThread({ bytes, password });
  if ('fault' in answer) throw new StatementError(answer.fault);
  return answer;
}

async function inThread(workerData: PdfWork): Promise<PdfAnswer> {
  const worker = new Worker(new URL('./pdf-worker.ts', import.meta.url), {
    workerData,
    resourceLimits: { maxOldGenerationSizeMb: MOST_MEMORY },
    // What the library says would go among the lines of the log.
    stdout: true,
    stderr: true,
  });
  const { promise, resolve, reject } = Promise.withResolvers<PdfAnswer>();
  const timer = setTimeout(() => reject(new StatementError('file_damaged')), LONGEST_MS);
  worker.on('message', resolve);
  worker.on('error', (cause) => reject(new StatementError('file_damaged', { cause })));
  worker.on('exit', () => reject(new StatementError('file_damaged')));
  try {
    return await promise;
  } finally {
    clearTimeout(timer);
    await worker.terminate();
  }
}
