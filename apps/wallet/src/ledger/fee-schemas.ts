import { idempotencyHeaders, jsonOrCsv, pageSchema, problemResponse, wordParameter } from '@repo/http';
import { z } from 'zod';
import { amount, moment, money, plainText, time } from '../fields.ts';
import { KEY_PROBLEMS, secured } from '../responses.ts';

const TYPES = ['transfer', 'withdrawal'] as const;
const PAYERS = ['sender', 'receiver'] as const;

const currency = z
  .string()
  .regex(/^[A-Z]{3}$/, 'must be three capital letters, such as KES')
  .describe('ISO 4217; default: KES');

/** An amount that may be zero. The ledger judges its value. */
const sum = z.string().describe('KES as a decimal string with at most two decimals; default: 0');

const reason = plainText(500).describe('why; kept with the name of the API key');

const feeRule = z
  .object({
    id: z.string(),
    type: z.enum(TYPES),
    currency: z.string(),
    minAmount: money.describe('the lower bound: of several, the highest that the amount reaches counts'),
    flat: money,
    rate: z
      .string()
      .describe('of the amount, charged on top of `flat`; six decimals')
      .meta({ examples: ['0.015000'] }),
    payer: z.enum(PAYERS),
    validFrom: time,
    validUntil: time.nullable().describe('null for as long as no other rule takes its place'),
  })
  .meta({ id: 'FeeRule' });

const event = z
  .object({
    kind: z
      .enum(['set', 'replaced', 'ended', 'restored'])
      .describe('restored: the rule that was to replace it was ended before it began'),
    validUntil: time.nullable().describe('when the rule ends by this event'),
    by: z.string().describe('the name of the API key'),
    reason: z.string(),
    at: time,
  })
  .meta({ id: 'FeeRuleEvent' });

const invalid = problemResponse(
  'A field is unknown or wrong (`invalid_request`), or `time_passed`: it would begin or end in the past, or end before it begins.',
);

export const LIST_SCHEMA = {
  ...secured('fees', 'The fee rules in force, now or at a moment, or all, with who changed them and why.'),
  operationId: 'listFeeRules',
  querystring: z.strictObject({
    at: moment.optional().describe('in force at this moment; default: now'),
    all: wordParameter(['true', 'false'])
      .optional()
      .describe('`true` for every past, present and future rule; default: false'),
  }),
  response: {
    200: jsonOrCsv(
      'By type, currency, lower bound and beginning, on one page.',
      pageSchema(
        'FeeRulePage',
        feeRule.extend({ history: z.array(event) }).meta({ id: 'FeeRuleWithHistory' }),
      ),
    ),
    ...KEY_PROBLEMS,
    406: problemResponse('Neither JSON nor CSV is accepted.'),
    422: problemResponse('A parameter is unknown or wrong.'),
  },
};

export const SET_SCHEMA = {
  ...secured(
    'fees',
    'Sets a fee rule. The one in force for the same type, currency and lower bound when it begins ends then.',
  ),
  operationId: 'setFeeRule',
  headers: idempotencyHeaders,
  body: z.strictObject({
    type: wordParameter(TYPES).describe(
      'transfer, or withdrawal: a hold that is paid out to a system wallet',
    ),
    currency: currency.optional(),
    minAmount: sum.optional(),
    flat: sum.optional(),
    rate: z.string().optional().describe('from 0 to below 1, at most six decimals; default: 0'),
    payer: wordParameter(PAYERS).optional().describe('default: sender'),
    validFrom: moment.optional().describe('now or later; default: now'),
    validUntil: moment.optional().describe('afterwards no rule holds here until one is set'),
    reason,
  }),
  response: {
    201: feeRule.describe('The rule is set.'),
    200: feeRule.describe('It was set before, for the same key; this is the same answer.'),
    400: problemResponse('`Idempotency-Key` is missing, or the body is not JSON.'),
    ...KEY_PROBLEMS,
    409: problemResponse(
      '`fee_rule_planned`: another rule begins while this one would hold; or `key_reused`.',
    ),
    422: invalid,
  },
};

export const END_SCHEMA = {
  ...secured(
    'fees',
    'Ends a fee rule. One that has not begun never holds, and the one that it was to replace goes on. Repeated, the answer is the same.',
  ),
  operationId: 'endFeeRule',
  params: z.object({ id: z.string().describe('the id of the rule') }),
  body: z.strictObject({ at: moment.optional().describe('now or later; default: now'), reason }),
  response: {
    200: feeRule,
    ...KEY_PROBLEMS,
    404: problemResponse('`unknown_fee_rule`: there is no such rule.'),
    409: problemResponse('`fee_rule_ended`: it ends before that.'),
    422: invalid,
  },
};

export const QUOTE_SCHEMA = {
  ...secured(
    'fees',
    'What a transaction would cost by the rules of now or of a moment. It promises nothing.',
  ),
  operationId: 'quoteFee',
  querystring: z.strictObject({
    type: wordParameter([...TYPES, 'hold']).describe(
      '`hold`: what a hold would reserve, the most that any capture of it can cost',
    ),
    amount,
    currency: currency.optional(),
    at: moment.optional().describe('default: now'),
  }),
  response: {
    200: z
      .object({
        type: z.enum([...TYPES, 'hold']),
        amount: money,
        fee: money.describe('`0.00` for nothing'),
        payer: z.enum(PAYERS).nullable().describe('null when nothing is charged'),
        ruleId: z.string().nullable().describe('null for none, and for a hold'),
        total: money.describe('what the sender must have: the amount, and the fee if the sender pays it'),
      })
      .meta({ id: 'FeeQuote' }),
    ...KEY_PROBLEMS,
    422: problemResponse('`invalid_amount`, or a parameter is unknown or wrong.'),
  },
};
