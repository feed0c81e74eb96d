import { expect, test } from 'vitest';
import { ask, startForTest, startService } from './testing.ts';
import type { TakingService } from './testing.ts';

const PATH = '/mpesa/transactionstatus/v1/query';

function fieldsFor({ url }: TakingService, receipt: string) {
  return {
    Initiator: 'api',
    SecurityCredential: 'sealed',
    CommandID: 'TransactionStatusQuery',
    TransactionID: receipt,
    PartyA: '600100',
    IdentifierType: '4',
    ResultURL: `${url}/result`,
    QueueTimeOutURL: `${url}/timeout`,
    Remarks: 'check',
    Occasion: '',
  };
}

interface Result {
  readonly ResultCode: unknown;
  readonly TransactionID: string;
  readonly OriginatorConversationID: string;
  readonly ResultParameters?: {
    readonly ResultParameter: { readonly Key: string; readonly Value?: unknown }[];
  };
}

function resultOf(body = ''): Result {
  return (JSON.parse(body) as { Result: Result }).Result;
}

test('the status of a payment comes to the ResultURL, with a repeated key and the receipt in ReceiptNo', async () => {
  const [daraja, service] = [await startForTest(), await startService()];
  const paid = await daraja.pay({ account: '1', amount: '80' });
  const receipt = paid.isPaid ? paid.payment.receipt : '';
  const taken = await ask(daraja, PATH, fieldsFor(service, receipt));
  expect(taken).toMatchObject({ status: 200, body: { ResponseCode: '0' } });
  await daraja.settled();
  expect(service.taken.map(({ path }) => path)).toEqual(['/result']);
  const result = resultOf(service.bodies()[0]);
  const { ResultParameter: parameters = [] } = result.ResultParameters ?? {};
  expect(result.ResultCode).toBe(0);
  expect(result.OriginatorConversationID).toBe(taken.body['OriginatorConversationID']);
  expect(result.TransactionID).not.toBe(receipt);
  expect(parameters.filter(({ Key }) => Key === 'DebitPartyName')).toHaveLength(2);
  expect(parameters).toContainEqual({ Key: 'ReceiptNo', Value: receipt });
  expect(parameters).toContainEqual({ Key: 'Amount', Value: '80' });
  expect(parameters).toContainEqual({ Key: 'TransactionStatus', Value: 'Completed' });
  expect(daraja.results()).toMatchObject([{ kind: 'result', answers: [200] }]);
});

test('a receipt that M-PESA does not know has the code 2032', async () => {
  const [daraja, service] = [await startForTest(), await startService()];
  await ask(daraja, PATH, fieldsFor(service, 'UKR0000001'));
  await daraja.settled();
  expect(resultOf(service.bodies()[0])).toMatchObject({ ResultCode: 2032 });
});

test('what waits too long in the queue is reported elsewhere', async () => {
  const [daraja, service] = [await startForTest({ isQueueFull: true }), await startService()];
  await ask(daraja, PATH, fieldsFor(service, 'UKR0000001'));
  await daraja.settled();
  expect(service.taken.map(({ path }) => path)).toEqual(['/timeout']);
});

test.each(
  Object.keys(fieldsFor({ url: '', taken: [], bodies: () => [] }, '')).filter((name) => name !== 'Occasion'),
)('a request without %s is refused', async (name) => {
  const [daraja, service] = [await startForTest(), await startService()];
  const fields = { ...fieldsFor(service, 'UKR0000001'), [name]: undefined };
  expect(await ask(daraja, PATH, fields)).toMatchObject({
    status: 400,
    body: { errorMessage: `Bad Request - Invalid ${name}` },
  });
});
