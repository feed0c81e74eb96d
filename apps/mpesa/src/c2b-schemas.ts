import { problemResponse } from '@repo/http';
import { z } from 'zod';

/** What a message looks like, for the API description only: whatever really comes is taken as bytes. */
const message = z.looseObject({
  TransID: z.string().describe('the M-PESA receipt'),
  TransTime: z.string().describe('YYYYMMDDHHmmss, East Africa Time'),
  TransAmount: z.string().describe('KES, such as 10 or 10.00; a JSON number is taken as well'),
  BusinessShortCode: z.string().describe('the paybill or till that was paid'),
  BillRefNumber: z.string().optional().describe('what the payer typed as the account'),
  MSISDN: z.string().optional().describe('plain, masked, hashed, hashed and masked, or empty'),
  FirstName: z.string().optional(),
  MiddleName: z.string().optional(),
  LastName: z.string().optional(),
});

const COMMON = {
  tags: ['callbacks'],
  body: message,
  params: z.object({
    token: z.string().describe('MPESA_CALLBACK_TOKEN; a wrong one is answered like an unknown path'),
  }),
};

const REFUSED = {
  403: problemResponse('The source address may not call; only with MPESA_SOURCE_CHECK=enforce.'),
  413: problemResponse('The body is over 64 KiB; its beginning was kept.'),
  503: problemResponse('Nothing could be stored. The message does not count as delivered.'),
};

export const CONFIRMATION_SCHEMA = {
  operationId: 'confirmPayment',
  ...COMMON,
  summary: 'M-PESA reports a payment that has happened.',
  description: 'Answered when the report is committed, whatever came of it.',
  response: {
    200: z
      .object({ ResultCode: z.literal(0), ResultDesc: z.literal('Accepted') })
      .meta({ id: 'Acknowledgement' }),
    ...REFUSED,
  },
};

export const VALIDATION_SCHEMA = {
  operationId: 'validatePayment',
  ...COMMON,
  summary: 'M-PESA asks whether a payment may go on.',
  description: 'Credits nothing. Answered also when the database is away.',
  response: {
    200: z
      .object({
        ResultCode: z.string().describe('0, or C2B00012 (account), C2B00013 (amount), C2B00016 (other)'),
        ResultDesc: z.string(),
      })
      .meta({ id: 'ValidationAnswer' }),
    ...REFUSED,
  },
};
