import { createServer } from 'node:http';
import type { IncomingHttpHeaders } from 'node:http';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import { expect, test } from 'vitest';
import { confirmationOf, validationOf } from './c2b-message.ts';
import { createPayment } from './payment.ts';
import { createRandom } from './random.ts';
import { sendConfirmation, sendStorm, sendValidation } from './send.ts';
import { RemoteTargetError, openTarget } from './target.ts';

interface Received {
  readonly url: string;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
}

/** A receiver on a free port that writes down what comes and answers what it is told. */
async function startReceiver(status: number, answer: string) {
  const received: Received[] = [];
  let connections = 0;
  const server = createServer((request, response) => {
    const receive = async () => {
      const body = await text(request);
      received.push({ url: request.url ?? '', headers: request.headers, body });
      response.writeHead(status).end(answer);
    };
    void receive();
  });
  server.on('connection', () => {
    connections += 1;
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    url: `http://127.0.0.1:${String((server.address() as AddressInfo).port)}`,
    received,
    connections: () => connections,
    [Symbol.asyncDispose]: async () => {
      server.close();
      await once(server, 'close');
    },
  };
}

const payment = createPayment(createRandom('send'));
const ACCEPTED = '{"ResultCode":0,"ResultDesc":"Accepted"}';

test('a confirmation arrives with the path and headers of M-PESA', async () => {
  await using receiver = await startReceiver(200, ACCEPTED);
  await using target = openTarget({ url: receiver.url, token: 'token-1' });
  const message = confirmationOf(payment);
  expect(await sendConfirmation(target, message)).toEqual({ status: 200, body: ACCEPTED, accepted: true });
  expect(receiver.received[0]).toMatchObject({
    url: '/c2b/token-1/confirmation',
    body: JSON.stringify(message),
    headers: {
      'user-agent': 'ReactorNetty/1.2.9',
      'content-type': 'application/json;charset=UTF-8',
      businessshortcode: '600100',
    },
  });
});

test('messages one after the other use the same connections again', async () => {
  await using receiver = await startReceiver(200, ACCEPTED);
  await using target = openTarget({ url: receiver.url, token: 't' });
  for (let sent = 0; sent < 20; sent += 1) await sendConfirmation(target, confirmationOf(payment));
  // An answer may be read before its connection is free again, which costs at most one more.
  expect(receiver.connections()).toBeLessThanOrEqual(2);
});

test.each([
  [200, '{"ResultCode":"0"}', true],
  [200, '{"ResultCode":"C2B00012"}', false],
  [503, ACCEPTED, false],
  [200, 'ok', false],
])('an answer %i %s counts as accepted: %s', async (status, body, isAccepted) => {
  await using receiver = await startReceiver(status, body);
  await using target = openTarget({ url: receiver.url, token: 't' });
  expect((await sendValidation(target, validationOf(payment))).accepted).toBe(isAccepted);
});

test('a storm reaches every target equally', async () => {
  await using first = await startReceiver(200, ACCEPTED);
  await using second = await startReceiver(200, ACCEPTED);
  await using one = openTarget({ url: first.url, token: 't' });
  await using two = openTarget({ url: second.url, token: 't' });
  const answers = await sendStorm([one, two], confirmationOf(payment), 40);
  expect(answers.filter((answer) => answer.accepted)).toHaveLength(40);
  expect([first.received.length, second.received.length]).toEqual([20, 20]);
});

test.each([
  'https://api.example.com',
  'http://10.0.0.1:4002',
  'http://127.0.0.1.example.com',
  'http://[2001:db8::1]',
])('the target %s is refused unless it is permitted', async (url) => {
  expect(() => openTarget({ url, token: 't' })).toThrow(RemoteTargetError);
  await openTarget({ url, token: 't', allowRemote: true }).close();
});

test.each(['http://localhost:1', 'http://127.8.8.8:1', 'http://[::1]:1'])(
  'the target %s is this machine',
  async (url) => {
    await openTarget({ url, token: 't' }).close();
  },
);
