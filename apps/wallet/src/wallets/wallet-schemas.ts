import { cursorParameter, optionalIdempotencyHeaders, pageSchema, problemResponse } from '@repo/http';
import { z } from 'zod';
import { currency, money, plainText, time, walletNumber, walletParams } from '../fields.ts';
import { KEY_PROBLEMS, LIMIT_PROBLEM, secured } from '../responses.ts';

const status = z.enum(['active', 'frozen', 'closed']);
const language = z.enum(['en', 'sw']).describe('what its holder is written in: English or Swahili');
const maskedName = z.string().describe('the holder, masked like `J*** M*****`');

const wholeWallet = z
  .object({
    number: walletNumber,
    holderName: z.string(),
    phone: z.string().nullable().describe('digits with the country code'),
    currency,
    status,
    balance: money,
    language,
  })
  .meta({ id: 'OpenedWallet' });

const maskedWallet = z
  .object({ number: walletNumber, holderName: maskedName, status, currency })
  .meta({ id: 'Wallet' });

const balance = z
  .object({
    number: walletNumber,
    balance: money,
    held: money.describe('reserved by holds'),
    available: money.describe('balance less held'),
    currency,
    asOf: time,
  })
  .meta({ id: 'Balance' });

export const OPEN_SCHEMA = {
  operationId: 'openWallet',
  ...secured(
    'wallets',
    'Opens a wallet with nothing in it, once for its idempotency key. Without a key, a repeated request opens another.',
  ),
  headers: optionalIdempotencyHeaders,
  body: z
    .strictObject({
      holderName: plainText(120),
      phone: plainText(40).describe('a Kenyan mobile number in any usual form'),
      currency: z.literal('KES').optional(),
      language: language.optional().describe('default: `en`'),
    })
    .meta({ examples: [{ holderName: 'Jane Mwangi', phone: '0712345678' }] }),
  response: {
    201: wholeWallet,
    200: wholeWallet.describe('It was opened before, for the same key; this is the wallet as it is now.'),
    ...KEY_PROBLEMS,
    409: problemResponse('`key_reused`: the key was used for another request.'),
    422: problemResponse('A field is missing, unknown or wrong; `invalid_wallet` names it.'),
  },
};

const unknown = problemResponse('No wallet that can be looked up has this number.');

export const LOOKUP_SCHEMA = {
  operationId: 'getWallet',
  ...secured('wallets', 'Who a wallet belongs to, masked, to be confirmed before a transfer.'),
  params: walletParams,
  response: { 200: maskedWallet, ...KEY_PROBLEMS, 404: unknown, ...LIMIT_PROBLEM },
};

export const SEARCH_SCHEMA = {
  operationId: 'listWallets',
  ...secured('wallets', 'Finds wallets by phone, by the beginning of the number, or by name.'),
  description:
    'By name the holders are named in full, so that people of one name can be told apart; otherwise masked. Each search counts as a look-up, and each one by name leaves a line in the log, without the name.',
  querystring: z
    .strictObject({
      phone: z.string().min(1).max(40).optional().describe('a Kenyan mobile number in any usual form'),
      prefix: z
        .string()
        .regex(/^\d{3,10}$/, 'must be 3 to 10 digits')
        .optional()
        .describe('the first 3 to 10 digits of the number'),
      name: plainText(120)
        .refine((text) => (text.match(/[\p{L}\p{M}]/gu)?.length ?? 0) >= 3, 'must have 3 letters or more')
        .optional()
        .describe("words of the holder's name, each by its beginning; case and accents do not count"),
      cursor: cursorParameter,
      limit: z.coerce.number().int().min(1).max(100).default(20),
    })
    .refine(
      ({ phone, prefix, name }) => (name === undefined) !== (phone === undefined && prefix === undefined),
      {
        message: 'say `name`, or `phone`, `prefix` or both',
      },
    ),
  response: {
    200: pageSchema('WalletPage', maskedWallet),
    ...KEY_PROBLEMS,
    422: problemResponse(
      'None of `phone`, `prefix` and `name` is there, `name` is not alone, or a parameter is unknown or wrong.',
    ),
    ...LIMIT_PROBLEM,
  },
};

export const BALANCE_SCHEMA = {
  operationId: 'getBalance',
  ...secured('wallets', 'What is in a wallet.'),
  params: walletParams,
  response: { 200: balance, ...KEY_PROBLEMS, 404: unknown, ...LIMIT_PROBLEM },
};

export const changeSchema = (summary: string) => ({
  ...secured('wallets', summary),
  params: walletParams,
  body: z
    .strictObject({
      reason: plainText(500).describe('who wants it and why; kept with the change'),
    })
    .meta({ examples: [{ reason: 'Asked for by its holder on the phone' }] }),
  response: {
    200: maskedWallet,
    ...KEY_PROBLEMS,
    404: unknown,
    409: problemResponse('A wallet closes only when it is empty.'),
    422: problemResponse('The wallet is closed for good, or a field is missing, unknown or wrong.'),
    ...LIMIT_PROBLEM,
  },
});

export const UPDATE_SCHEMA = {
  operationId: 'updateWallet',
  ...secured(
    'wallets',
    'Changes whose wallet it is, or how its holder is written to. Each change is kept, with who wanted it and why.',
  ),
  params: walletParams,
  body: z
    .strictObject({
      holderName: plainText(120).optional(),
      phone: plainText(40)
        .nullable()
        .optional()
        .describe('a Kenyan mobile number in any usual form; null for a wallet without a phone from now on'),
      language: language.optional(),
      reason: plainText(500).describe('why; kept with the change'),
    })
    .refine(
      ({ holderName, phone, language: next }) =>
        [holderName, phone, next].some((field) => field !== undefined),
      {
        message: 'say `holderName`, `phone` or `language`, or several of them',
      },
    ),
  response: {
    200: wholeWallet.describe('The wallet as it is now, also when nothing was different.'),
    ...KEY_PROBLEMS,
    404: unknown,
    422: problemResponse('The wallet is closed for good, or a field is missing, unknown or wrong.'),
    ...LIMIT_PROBLEM,
  },
};
