import { once } from 'node:events';
import { createServer } from 'node:http';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { confirmationOf, createPayment, createRandom, openTarget, sendStorm } from '@repo/simulator';
import type { Payment } from '@repo/simulator';
import { OrderError, readPayOrder } from './pay-order.ts';

/** A simulated M-PESA that pays on request: `POST /pay {"account", "amount", "copies"?}`. */
export interface Payer {
  readonly url: string;
  close(): Promise<void>;
}

const USAGE = 'POST /pay with {"account": "<wallet number>", "amount": "100.00", "copies": 1}';

const MOST_BYTES = 65_536;

interface Answer {
  readonly status: number;
  readonly body: unknown;
}

export async function startPayer(options: {
  readonly port: number;
  readonly service: string;
  readonly token: string;
}): Promise<Payer> {
  const target = openTarget({ url: options.service, token: options.token });
  const random = createRandom(String(Date.now()));

  async function pay(request: IncomingMessage): Promise<Answer> {
    const { account, amount, copies } = readPayOrder(await readText(request));
    const payment = createPayment(random, { account, amount });
    try {
      const answers = await sendStorm([target], confirmationOf(payment), copies);
      return { status: 200, body: { ...facts(payment), answers: answers.map(({ status }) => status) } };
    } catch {
      return { status: 502, body: { ...facts(payment), error: 'the M-PESA service does not answer' } };
    }
  }

  async function answer(request: IncomingMessage): Promise<Answer> {
    if (request.url !== '/pay') return { status: 404, body: { usage: USAGE } };
    if (request.method !== 'POST') return { status: 405, body: { usage: USAGE } };
    try {
      return await pay(request);
    } catch (error) {
      if (!(error instanceof OrderError)) throw error;
      return { status: 400, body: { error: error.message, usage: USAGE } };
    }
  }

  async function serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    try {
      const { status, body } = await answer(request);
      response.writeHead(status, { 'content-type': 'application/json' });
      response.end(`${JSON.stringify(body)}\n`);
    } catch {
      // The caller has gone away in the middle of its request.
      response.destroy();
    }
  }

  const server = createServer((request, response) => void serve(request, response));
  server.listen(options.port, '127.0.0.1');
  await once(server, 'listening');
  return {
    url: `http://127.0.0.1:${String(options.port)}`,
    async close() {
      server.close();
      server.closeAllConnections();
      await target.close();
    },
  };
}

async function readText(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of request) {
    chunks.push(chunk as Buffer);
    bytes += (chunk as Buffer).length;
    if (bytes > MOST_BYTES) throw new OrderError(`the body is larger than ${String(MOST_BYTES)} bytes`);
  }
  return Buffer.concat(chunks).toString('utf8');
}

function facts({ receipt, account, amount }: Payment) {
  return { receipt, account, amount };
}
