import { once } from 'node:events';
import { createServer } from 'node:http';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import { USUAL } from './behaviour.ts';
import { formatCost, openBook } from './book.ts';
import type { Book, BookSummary, BookedMessage } from './book.ts';
import { createReporter, USUAL_REPORTS } from './reports.ts';
import type { Reporter } from './reports.ts';
import { readFormRequest, readJsonRequest } from './requests.ts';
import type { SendRequest } from './requests.ts';
import { takeRequest } from './send.ts';
import type { SendOutcome } from './send.ts';
import type { AfricasTalkingOptions, Settings } from './settings.ts';

/** An Africa's Talking that charges nobody. */
export interface AfricasTalkingSimulator extends AsyncDisposable {
  /** `http://127.0.0.1:<port>`, the base URL of both endpoints, of the balance, and of `GET /book`. */
  readonly url: string;
  readonly book: () => BookSummary;
  /** The accepted messages in their order; empty with `keepMessages: false`. */
  readonly messages: () => readonly BookedMessage[];
  /** Changes the given settings and leaves the rest. The changes hold for requests that come from now on. */
  readonly configure: (changes: Partial<Settings>) => void;
  /** Resolves when every report that is due was sent. */
  readonly reportsSent: () => Promise<void>;
  /** Sends the reports that are due, drops the connections and ends. */
  readonly close: () => Promise<void>;
}

interface Context {
  readonly account: { readonly username: string; readonly apiKey: string; readonly balance: bigint | null };
  readonly book: Book;
  readonly reporter: Reporter;
  settings: Settings;
}

/** Starts a server that answers as the real one does. It is meant for this machine and listens nowhere else. */
export async function startAfricasTalking(
  options: AfricasTalkingOptions = {},
): Promise<AfricasTalkingSimulator> {
  const { port = 0, username = 'sandbox', apiKey = 'simulated-key', keepMessages = true } = options;
  const book = openBook({ keepMessages });
  const context: Context = {
    account: { username, apiKey, balance: options.balance ?? null },
    book,
    reporter: createReporter(book),
    settings: {
      behaviour: options.behaviour ?? (() => USUAL),
      delayMs: options.delayMs ?? 0,
      gate: options.gate ?? null,
      reportUrl: options.reportUrl ?? null,
      partCost: options.partCost ?? 8_000,
    },
  };
  const server = createServer((request, response) => {
    serve(context, request, response).catch((error: unknown) => response.destroy(asError(error)));
  });
  // Longer than any client keeps an idle connection: the simulator must not be the one that closes it.
  server.keepAliveTimeout = 60_000;
  server.listen(port, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  const listening = typeof address === 'object' && address !== null ? address.port : port;

  async function close(): Promise<void> {
    await context.reporter.idle();
    if (!server.listening) return;
    const closed = once(server, 'close');
    server.close();
    server.closeAllConnections();
    await closed;
  }
  return {
    url: `http://127.0.0.1:${String(listening)}`,
    book: () => book.summary(),
    messages: () => book.messages,
    configure(changes) {
      context.settings = { ...context.settings, ...changes };
    },
    reportsSent: () => context.reporter.idle(),
    close,
    [Symbol.asyncDispose]: close,
  };
}

async function serve(context: Context, request: IncomingMessage, response: ServerResponse): Promise<void> {
  const body = await readBody(request);
  const path = request.url ?? '/';
  if (/^\/book(?![^?])/.test(path)) return sendBook(context, request, response);
  if (request.headers['apikey'] !== context.account.apiKey) return refuseKey(response);
  if (request.method === 'GET' && path.startsWith('/version1/user'))
    return sendJson(response, account(context));
  if (request.method !== 'POST') return sendText(response, 404, 'Not Found');
  if (path === '/version1/messaging') return send(context, readFormRequest(body), response);
  if (path === '/version1/messaging/bulk') return send(context, readJsonRequest(body), response);
  return sendText(response, 404, 'Not Found');
}

async function send(context: Context, request: SendRequest | null, response: ServerResponse): Promise<void> {
  const { book, account: mine, settings } = context;
  book.count('requests');
  if (request === null) return sendText(response, 400, 'Request is missing required fields');
  if (request.username !== mine.username) return refuseKey(response);
  const outcome = takeRequest({ book, settings, balance: mine.balance }, request);
  const reported = report(context, outcome, 'before');
  if (reported !== null) await reported;
  if (outcome.delayMs > 0) await sleep(outcome.delayMs);
  await settings.gate;
  answer(outcome, response);
  void report(context, outcome, 'after');
}

/** Sends the reports whose turn it is; null when no report is due, which is the rule under load. */
function report(
  { settings, reporter }: Context,
  { accepted }: SendOutcome,
  when: 'before' | 'after',
): Promise<void[]> | null {
  const { reportUrl } = settings;
  if (reportUrl === null) return null;
  const due = accepted
    .map(({ message, reports }) => ({ message, plan: reports ?? USUAL_REPORTS }))
    .filter(({ plan }) => (plan.when ?? 'after') === when);
  if (due.length === 0) return null;
  return Promise.all(due.map(({ message, plan }) => reporter.report(reportUrl, message, plan)));
}

function answer({ status, body, retryAfter, connection }: SendOutcome, response: ServerResponse): void {
  switch (connection) {
    case 'reset':
      response.socket?.resetAndDestroy();
      return;
    case 'dropped':
      response.destroy();
      return;
    case 'never':
      return;
    case 'cut': {
      response.writeHead(status, jsonHeaders(body));
      response.write(body.slice(0, body.length / 2), () => response.destroy());
      return;
    }
    case 'answered': {
      const isJson = body.startsWith('{');
      const headers = isJson ? jsonHeaders(body) : textHeaders(body);
      response.writeHead(status, retryAfter === null ? headers : { ...headers, 'retry-after': retryAfter });
      response.end(body);
    }
  }
}

/** `GET /book`, for people and for tests whose simulator is another process; `?messages` adds what was accepted. */
function sendBook({ book }: Context, request: IncomingMessage, response: ServerResponse): void {
  if (request.method !== 'GET') return sendText(response, 405, `${BOOK_USAGE}; it is read only`);
  const { searchParams } = new URL(request.url ?? '/', 'http://simulator');
  const unknown = [...searchParams].find(([name, value]) => name !== 'messages' || value !== '');
  if (unknown !== undefined) return sendText(response, 400, `${BOOK_USAGE}; unknown: ${unknown.join('=')}`);
  const summary = book.summary();
  return sendJson(response, searchParams.has('messages') ? { ...summary, messages: book.messages } : summary);
}

const BOOK_USAGE = 'GET /book, or GET /book?messages with the messages';

function account({ book, account: { balance } }: Context): unknown {
  const left = balance === null ? 10_000_000_000n : balance - book.total;
  return { UserData: { balance: `KES ${formatCost(left)}` } };
}

function refuseKey(response: ServerResponse): void {
  sendText(response, 401, 'The supplied authentication is invalid');
}

function sendJson(response: ServerResponse, value: unknown): void {
  const body = JSON.stringify(value);
  response.writeHead(200, jsonHeaders(body));
  response.end(body);
}

function sendText(response: ServerResponse, status: number, body: string): void {
  response.writeHead(status, textHeaders(body));
  response.end(body);
}

function jsonHeaders(body: string) {
  return { 'content-type': 'application/json', 'content-length': Buffer.byteLength(body) };
}

function textHeaders(body: string) {
  return { 'content-type': 'text/plain', 'content-length': Buffer.byteLength(body) };
}

async function readBody(request: IncomingMessage): Promise<string> {
  if (request.method === 'GET') return '';
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  const [first] = chunks;
  return (chunks.length === 1 && first !== undefined ? first : Buffer.concat(chunks)).toString('utf8');
}

function asError(error: unknown): Error {
  return error instanceof Error ? error : new Error('the simulator failed', { cause: error });
}
