import { z } from 'zod';

/**
 * How a route declares that it answers with a list, page by page: `{"items": [...], "nextCursor": "..."}`.
 *
 * @param name what the description calls a page, such as `DepositPage`
 */
export function pageSchema<Item extends z.ZodType>(name: string, item: Item) {
  return z.object({ items: z.array(item), nextCursor }).meta({ id: name });
}

export const nextCursor = z
  .string()
  .nullable()
  .describe('the `cursor` of the next page; null on the last one');

/** The parameter that asks for the next page of a list. */
export const cursorParameter = z
  .string()
  .min(1)
  .max(500)
  .optional()
  .describe('`nextCursor` of the page before; the first page when absent');
