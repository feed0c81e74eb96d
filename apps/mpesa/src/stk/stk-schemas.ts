import { problemResponse } from '@repo/http';
import { z } from 'zod';

const token = z.string().describe('MPESA_CALLBACK_TOKEN; a wrong one is answered like an unknown path');
const code = z.union([z.string(), z.number()]);

/** What a message looks like, for the API description only: whatever really comes is taken as bytes. */
const stkMessage = z.looseObject({
  Body: z.looseObject({
    stkCallback: z.looseObject({
      MerchantRequestID: z.string(),
      CheckoutRequestID: z.string(),
      ResultCode: code.describe('0: paid'),
      ResultDesc: z.string(),
      CallbackMetadata: z
        .looseObject({
          Item: z.array(z.looseObject({ Name: z.string(), Value: code.optional() })),
        })
        .optional()
        .describe('of a payment: Amount, MpesaReceiptNumber, TransactionDate, PhoneNumber, in any order'),
    }),
  }),
});

const statusMessage = z.looseObject({
  Result: z.looseObject({
    ResultCode: code,
    ResultParameters: z
      .looseObject({
        ResultParameter: z.array(z.looseObject({ Key: z.string(), Value: code.optional() })),
      })
      .optional()
      .describe('keys may be repeated; ReceiptNo is the receipt'),
  }),
});

const RESPONSE = {
  200: z
    .object({ ResultCode: z.literal(0), ResultDesc: z.literal('Accepted') })
    .meta({ id: 'Acknowledgement' }),
  403: problemResponse('The source address may not call; only with MPESA_SOURCE_CHECK=enforce.'),
  413: problemResponse('The body is over 64 KiB; its beginning was kept.'),
  503: problemResponse('Nothing could be stored. The message does not count as delivered.'),
};

const DESCRIPTION = 'Answered when the report is committed, whatever came of it.';

export const STK_SCHEMA = {
  operationId: 'reportPayment',
  tags: ['callbacks'],
  summary: 'M-PESA reports what became of a request to a phone.',
  description: DESCRIPTION,
  params: z.object({ token }),
  body: stkMessage,
  response: RESPONSE,
};

export const NAMED_STK_SCHEMA = {
  ...STK_SCHEMA,
  operationId: 'reportNamedPayment',
  summary: 'M-PESA reports what became of the request to a phone for this payment.',
  params: z.object({ token, payment: z.string().describe('id of the payment; we give M-PESA this URL') }),
};

export const STATUS_RESULT_SCHEMA = {
  operationId: 'reportTransactionStatus',
  tags: ['callbacks'],
  summary: 'M-PESA answers what we asked about a receipt.',
  description: DESCRIPTION,
  params: z.object({ token, inquiry: z.string().describe('id of the question; we give M-PESA this URL') }),
  body: statusMessage,
  response: RESPONSE,
};

export const STATUS_TIMEOUT_SCHEMA = {
  ...STATUS_RESULT_SCHEMA,
  operationId: 'reportStatusTimeout',
  summary: 'M-PESA could not answer in time what we asked about a receipt; it is asked again.',
};
