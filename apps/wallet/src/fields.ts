import { z } from 'zod';

/** Times go out in UTC with milliseconds. */
export const time = z.iso.datetime().describe('ISO 8601, UTC');

/** An amount in an answer. */
export const money = z
  .string()
  .describe('decimal string with two decimals')
  .meta({ examples: ['1500.00'] });

export const currency = z.string().describe('KES');

export const verificationHash = z
  .string()
  .describe('SHA-256 over reference, amount and createdAt, in lower-case hex');

/**
 * An amount in a request. Its value is judged by the ledger, which says `invalid_amount` and the reason; here it only
 * has to be a string: 0.1 + 0.2 is not 0.3 in JSON's numbers, and 100000000000000.01 loses its cent before anybody
 * sees it.
 */
export const amount = z
  .string({
    error: ({ input }) =>
      typeof input === 'number'
        ? 'send the amount as a string, such as "150.00": a JSON number does not hold every sum exactly'
        : 'must be a decimal string, such as "150.00"',
  })
  .describe('KES above zero as a decimal string with at most two decimals; a number is refused')
  .meta({ examples: ['150.00'] });

/** A text that the database can hold: no NUL, and no half of a character. */
export function plainText(longest: number) {
  return z
    .string()
    .min(1)
    .max(longest)
    .refine((text) => text.isWellFormed() && !text.includes('\0'), 'must be well-formed text without NUL');
}

/** A wallet in a body. A number that no wallet can have is refused by the ledger like any unknown one. */
export const walletNumber = plainText(20).describe('a wallet number, ten digits');

export const narrative = plainText(255).describe("what it is for, in the caller's words");

/**
 * A moment that a caller names, as a Date. A day without a time would mean three hours more or less, depending on who
 * reads it, and is refused. A `+` that nobody encoded in a query has become a space on its way here.
 */
export const moment = z
  .string()
  .transform((text) => text.replace(/ (?=\d\d:\d\d$)/, '+'))
  .pipe(
    z.iso.datetime({
      offset: true,
      error: 'must be a time with its zone, such as 2026-03-01T00:00:00Z or 2026-03-01T00:00:00+03:00',
    }),
  )
  .transform((text) => new Date(text))
  // Beyond them the offset leads out of what a calendar with four digits can say.
  .refine(
    (date) => date.getUTCFullYear() >= 1 && date.getUTCFullYear() <= 9999,
    'must be in the years 1 to 9999',
  );

/** A wallet in the path: taken as it comes, so that every wrong number is answered the same way. */
export const walletParams = z.object({ number: z.string().describe('the wallet number') });
