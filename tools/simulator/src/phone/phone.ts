import { readFile } from 'node:fs/promises';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { text } from 'node:stream/consumers';
import { OUTCOMES } from '../daraja/outcomes.ts';
import type { OutcomeName } from '../daraja/outcomes.ts';
import type { DarajaSimulator } from '../daraja/server.ts';
import { stateOf } from './state.ts';
import type { Said, Watch } from './state.ts';

/** A page with a phone on it, and what it calls: `GET /` and `/phone/…`. */
export interface Phone {
  /** Whether the request was for the phone; it has its answer then. */
  serve(request: IncomingMessage, response: ServerResponse): Promise<boolean>;
}

const FILES: Readonly<Record<string, readonly [file: string, type: string]>> = {
  '/': ['page.html', 'text/html'],
  '/phone/page.css': ['page.css', 'text/css'],
  '/phone/page.js': ['page.js', 'text/javascript'],
};

/** The page loads nothing from elsewhere and is shown in no frame. */
const POLICY =
  "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src data:; frame-ancestors 'none'; base-uri 'none'; form-action 'none'";

/** The PIN of every phone. */
const PIN = '1234';

/** Prepares the page of a simulator that listens. */
export function createPhone(daraja: () => DarajaSimulator, watch: Watch = {}): Phone {
  const actions: Readonly<Record<string, (fields: Fields) => Promise<Said>>> = {
    '/phone/pay': (fields) => pay(daraja(), fields),
    '/phone/answer': (fields) => answer(daraja(), fields),
    '/phone/ask': (fields) => ask(watch, fields),
  };

  async function serve(request: IncomingMessage, response: ServerResponse): Promise<boolean> {
    const url = new URL(request.url ?? '/', 'http://simulator');
    const file = FILES[url.pathname];
    const act = actions[url.pathname];
    if (request.method === 'GET' && file !== undefined) {
      await sendFile(response, file);
    } else if (request.method === 'GET' && url.pathname === '/phone/state') {
      sendJson(response, 200, await stateOf(daraja(), watch, url.searchParams.get('phone') ?? ''));
    } else if (request.method === 'POST' && act !== undefined) {
      const said = await act(readFields(await text(request)));
      sendJson(response, said.isRefused === true ? 422 : 200, said);
    } else {
      return false;
    }
    return true;
  }
  return { serve };
}

async function pay(
  daraja: DarajaSimulator,
  { phone = '', account = '', amount = '' }: Fields,
): Promise<Said> {
  if (!isPhone(phone)) return WRONG_PHONE;
  if (!/^\d{1,6}(?:\.\d\d)?$/.test(amount) || !/[1-9]/.test(amount)) return WRONG_AMOUNT;
  const paid = await daraja.pay({ phone, account: account.trim(), amount });
  if (!paid.isPaid)
    return refusal(`The shop refused the payment${paid.code === null ? '' : ` (${paid.code})`}.`);
  return { said: `${paid.payment.receipt} confirmed. KES ${paid.payment.amount} sent.` };
}

async function answer(daraja: DarajaSimulator, { phone = '', pin, outcome }: Fields): Promise<Said> {
  const chosen = pin === undefined ? outcome : outcomeOfPin(pin);
  if (chosen === undefined || !isOutcome(chosen)) return refusal('Choose what happens.');
  try {
    await daraja.answerPrompt(phone, chosen);
    return { said: OUTCOMES[chosen].texts[0] };
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    return refusal('The request is over.');
  }
}

async function ask(
  { ask: request }: Watch,
  { phone = '', account = '', amount = '' }: Fields,
): Promise<Said> {
  if (request === undefined) return refusal('No service is there that could ask.');
  if (!isPhone(phone)) return WRONG_PHONE;
  return request({ phone, account: account.trim(), amount });
}

function outcomeOfPin(pin: string): OutcomeName {
  return pin === PIN ? 'paid' : 'wrong-pin';
}

function isOutcome(name: string): name is OutcomeName {
  return Object.hasOwn(OUTCOMES, name);
}

function isPhone(phone: string): boolean {
  return /^254[17]\d{8}$/.test(phone);
}

function refusal(said: string): Said {
  return { said, isRefused: true };
}

const WRONG_PHONE = refusal('The number of this phone must be twelve digits, such as 254700000126.');
const WRONG_AMOUNT = refusal('The amount must be shillings above zero, such as 100 or 100.50.');

type Fields = Readonly<Record<string, string>>;

function readFields(body: string): Fields {
  const value: unknown = JSON.parse(body);
  if (typeof value !== 'object' || value === null) return {};
  return Object.fromEntries(Object.entries(value).filter(([, field]) => typeof field === 'string')) as Fields;
}

async function sendFile(response: ServerResponse, [file, type]: readonly [string, string]): Promise<void> {
  const content = await readFile(new URL(file, import.meta.url));
  response.writeHead(200, {
    'content-type': `${type}; charset=utf-8`,
    'content-security-policy': POLICY,
    'cache-control': 'no-store',
  });
  response.end(content);
}

function sendJson(response: ServerResponse, status: number, value: unknown): void {
  response.writeHead(status, { 'content-type': 'application/json', 'cache-control': 'no-store' });
  response.end(JSON.stringify(value));
}
