import type { IncomingMessage, ServerResponse } from 'node:http';
import { createPhone, startDaraja } from '@repo/simulator';
import type { BookedEvent, DarajaSimulator, Watch } from '@repo/simulator';
import { OrderError, readPayOrder } from './pay-order.ts';
import type { PayOrder } from './pay-order.ts';

/**
 * A simulated M-PESA. It pays on request, `POST /pay {"account", "amount", "copies"?}`, shows a phone to pay with at
 * `GET /`, and is the Daraja of the M-PESA service.
 */
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
  /** How the page with the phone learns what the services say. */
  readonly watch?: Watch;
}): Promise<Payer> {
  const callbacks = `${options.service}/c2b/${encodeURIComponent(options.token)}`;
  const phone = createPhone(() => daraja, options.watch);
  const serveFirst = async (request: IncomingMessage, response: ServerResponse): Promise<boolean> => {
    if (request.url !== '/pay') return phone.serve(request, response);
    const { status, body } = await answer(daraja, request);
    response.writeHead(status, { 'content-type': 'application/json' });
    response.end(`${JSON.stringify(body)}\n`);
    return true;
  };
  const daraja = await startDaraja({
    port: options.port,
    seed: String(Date.now()),
    urls: {
      confirmationUrl: `${callbacks}/confirmation`,
      validationUrl: `${callbacks}/validation`,
      responseType: 'Completed',
      version: 2,
    },
    serveFirst,
  });
  return { url: daraja.url, close: () => daraja.close() };
}

async function answer(daraja: DarajaSimulator, request: IncomingMessage): Promise<Answer> {
  if (request.method !== 'POST') return { status: 405, body: { usage: USAGE } };
  try {
    return await pay(daraja, readPayOrder(await readText(request)));
  } catch (error) {
    if (!(error instanceof OrderError)) throw error;
    return { status: 400, body: { error: error.message, usage: USAGE } };
  }
}

async function pay(daraja: DarajaSimulator, { account, amount, copies }: PayOrder): Promise<Answer> {
  const paid = await daraja.pay({ account, amount, confirmation: { copies } });
  if (!paid.isPaid) throw new Error('a payment was refused although none is asked about');
  const { receipt, amount: booked, events } = paid.payment;
  const facts = { receipt, account, amount: booked };
  const answers = events.flatMap((event: BookedEvent) => event.answers);
  if (answers.includes(null)) {
    return { status: 502, body: { ...facts, error: 'the M-PESA service does not answer' } };
  }
  return { status: 200, body: { ...facts, answers } };
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
