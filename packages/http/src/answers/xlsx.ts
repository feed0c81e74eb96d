import { xlsxFile } from '@repo/xlsx/write';
import type { XlsxTable } from '@repo/xlsx/write';
import type { FastifyReply } from 'fastify';

export const XLSX_TYPE = 'application/vnd.openxmlformats-officedocument.spreadsheetml.sheet';

/** Sends a list as a workbook: a file for browsers, called as the sheet is. */
export async function xlsxAnswer<Row>(reply: FastifyReply, table: XlsxTable<Row>): Promise<void> {
  const file = await xlsxFile(table);
  void reply
    .type(XLSX_TYPE)
    .header('content-disposition', `attachment; filename="${table.name}.xlsx"`)
    .send(file);
}
