import { payerLines } from './payer-lines.ts';
import type { PayerLine } from './payer-lines.ts';
import { readPdf } from './read-pdf.ts';

export interface PayerStatement {
  readonly pages: number;
  readonly lines: readonly PayerLine[];
}

/**
 * Reads the statement that M-PESA gives a customer, a PDF. It proves nothing by itself: anybody can write one.
 *
 * @throws StatementError `file_not_pdf`, `password_needed`, `password_wrong`, `no_header`, `file_damaged`, `file_empty`
 */
export async function readPayerStatement(
  path: string,
  { password = null }: { readonly password?: string | null } = {},
): Promise<PayerStatement> {
  const { pages, texts } = await readPdf(path, password);
  return { pages, lines: payerLines(texts) };
}
