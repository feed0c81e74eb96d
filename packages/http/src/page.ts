import { z } from 'zod';

/** How a route declares that it answers with a list, page by page: `{"items": [...], "nextCursor": "..."}`. */
export function pageSchema<Item extends z.ZodType>(item: Item) {
  return z.object({ items: z.array(item), nextCursor });
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
