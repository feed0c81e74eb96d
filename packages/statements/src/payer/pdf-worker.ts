// Reads the texts of a PDF in a thread of its own: a stranger's file may take long or much memory, and the process has others
// to answer. The thread is ended from outside.
import { parentPort, workerData } from 'node:worker_threads';
import { getDocumentProxy } from 'unpdf';
import type { PlacedText } from './placed-text.ts';

/** What the thread is given. */
export interface PdfWork {
  readonly bytes: Uint8Array;
  readonly password: string | null;
}

/** What it answers: the texts, or why there are none. */
export type PdfAnswer =
  | { readonly pages: number; readonly texts: readonly PlacedText[] }
  | { readonly fault: 'password_needed' | 'password_wrong' | 'file_damaged' };

/** M-PESA gives six months in a file. */
const MOST_PAGES = 500;

parentPort?.postMessage(await read(workerData as PdfWork), []);

async function read({ bytes, password }: PdfWork): Promise<PdfAnswer> {
  try {
    const document = await getDocumentProxy(bytes, {
      // Errors alone: what it says otherwise may repeat what the file says.
      verbosity: 0,
      ...(password === null ? {} : { password }),
    });
    if (document.numPages > MOST_PAGES) return { fault: 'file_damaged' };
    const texts: PlacedText[] = [];
    for (let number = 1; number <= document.numPages; number += 1) {
      const page = await document.getPage(number);
      const [, , , top = 0] = page.view;
      const { items } = await page.getTextContent();
      for (const item of items) {
        if (!('str' in item) || item.str.trim() === '') continue;
        const [, , , , left = 0, baseline = 0] = item.transform as number[];
        const { str: text, width, height } = item;
        texts.push({ text: text.trim(), page: number, left, right: left + width, y: top - baseline, height });
      }
      page.cleanup();
    }
    return { pages: document.numPages, texts };
  } catch (error) {
    if (!(error instanceof Error) || error.name !== 'PasswordException') return { fault: 'file_damaged' };
    return { fault: password === null ? 'password_needed' : 'password_wrong' };
  }
}
