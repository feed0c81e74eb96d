import { cursorParameter, pageSchema, problemResponse } from '@repo/http';
import { z } from 'zod';
import { currency, money, plainText, time, walletNumber, walletParams } from './fields.ts';
import { keyProblems, limitProblem, secured } from './responses.ts';

const status = z.enum(['active', 'frozen', 'closed']);
const maskedName = z.string().describe('the holder, masked like `J*** M*****`');

const openedWallet = z.object({
  number: walletNumber,
  holderName: z.string(),
  phone: z.string().nullable().describe('digits with the country code'),
  currency,
  status,
  balance: money,
});

const maskedWallet = z.object({ number: walletNumber, holderName: maskedName, status, currency });

const balance = z.object({
  number: walletNumber,
  balance: money,
  held: money.describe('reserved by holds'),
  available: money.describe('balance less held'),
  currency,
  asOf: time,
});

export const openSchema = {
  ...secured('wallets', 'Opens a wallet with nothing in it.'),
  body: z.strictObject({
    holderName: plainText(120),
    phone: plainText(40).describe('a Kenyan mobile number in any usual form'),
    currency: z.literal('KES').optional(),
  }),
  response: {
    201: openedWallet,
    ...keyProblems,
    422: problemResponse('A field is missing, unknown or wrong; `invalid_wallet` names it.'),
  },
};

const unknown = problemResponse('No wallet that can be looked up has this number.');

export const lookupSchema = {
  ...secured('wallets', 'Who a wallet belongs to, masked, to be confirmed before a transfer.'),
  params: walletParams,
  response: { 200: maskedWallet, ...keyProblems, 404: unknown, ...limitProblem },
};

export const searchSchema = {
  ...secured('wallets', 'Finds wallets by phone, by the beginning of the number, or both.'),
  querystring: z
    .strictObject({
      phone: z.string().min(1).max(40).optional().describe('a Kenyan mobile number in any usual form'),
      prefix: z
        .string()
        .regex(/^\d{3,10}$/, 'must be 3 to 10 digits')
        .optional()
        .describe('the first 3 to 10 digits of the number'),
      cursor: cursorParameter,
      limit: z.coerce.number().int().min(1).max(100).default(20),
    })
    .refine((query) => query.phone !== undefined || query.prefix !== undefined, {
      message: 'say `phone`, `prefix` or both',
    }),
  response: {
    200: pageSchema(maskedWallet),
    ...keyProblems,
    422: problemResponse('Neither `phone` nor `prefix` is there, or a parameter is unknown or wrong.'),
    ...limitProblem,
  },
};

export const balanceSchema = {
  ...secured('wallets', 'What is in a wallet.'),
  params: walletParams,
  response: { 200: balance, ...keyProblems, 404: unknown, ...limitProblem },
};

export const changeSchema = (summary: string) => ({
  ...secured('wallets', summary),
  params: walletParams,
  body: z.strictObject({
    reason: plainText(500).describe('who wants it and why; kept with the change'),
  }),
  response: {
    200: maskedWallet,
    ...keyProblems,
    404: unknown,
    409: problemResponse('A wallet closes only when it is empty.'),
    422: problemResponse('The wallet is closed for good, or a field is missing, unknown or wrong.'),
    ...limitProblem,
  },
});
