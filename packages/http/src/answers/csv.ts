import { csvText } from '@repo/csv';
import type { CsvColumns } from '@repo/csv';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { z } from 'zod';
import { negotiate } from './negotiation.ts';

const JSON_TYPE = 'application/json';
const CSV_TYPE = 'text/csv';

/** A list as CSV: what its file is called (without `.csv`), its columns and its rows. */
export interface CsvList<Row> {
  readonly name: string;
  readonly columns: CsvColumns<Row>;
  readonly rows: readonly Row[];
  /** Goes into a `Link` header, since a table has no room for it; null or absent on the last page. */
  readonly nextCursor?: string | null;
}

/** How a route declares its 200 answer when it can be had as JSON of this schema or as CSV. */
export function jsonOrCsv<Schema extends z.ZodType>(description: string, schema: Schema) {
  return { description, content: { [JSON_TYPE]: { schema }, [CSV_TYPE]: { schema: z.string() } } } as const;
}

/** Whether the request prefers CSV to JSON. Throws 406 `not_acceptable` when it wants neither. */
export function prefersCsv(request: FastifyRequest): boolean {
  return negotiate(request, [JSON_TYPE, CSV_TYPE]) === CSV_TYPE;
}

/**
 * The answer of a list as CSV; it sets the headers: a file for browsers, and the address of the next page as
 * `Link: <...>; rel="next"` (RFC 8288).
 *
 *     const isCsv = prefersCsv(request);
 *     const page = await listDeposits(db, request.query);
 *     return isCsv ? csvAnswer(reply, { name: 'deposits', columns, rows, nextCursor }) : page;
 */
export function csvAnswer<Row>(
  reply: FastifyReply,
  { name, columns, rows, nextCursor = null }: CsvList<Row>,
): string {
  if (nextCursor !== null) {
    void reply.header('link', `<${nextPage(reply.request.url, nextCursor)}>; rel="next"`);
  }
  void reply
    .type(`${CSV_TYPE}; charset=utf-8`)
    .header('content-disposition', `attachment; filename="${name}.csv"`);
  return csvText(columns, rows);
}

/** The request's own path and query with another cursor: a reference that is relative to the service. */
function nextPage(url: string, cursor: string): string {
  const [path = '/', query = ''] = url.split(/\?(.*)/s);
  const parameters = new URLSearchParams(query);
  parameters.set('cursor', cursor);
  return `${path}?${parameters.toString()}`;
}
