import { Buffer } from 'node:buffer';
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { openBook } from './book.ts';
import type { BookSummary } from './book.ts';
import { createChance } from './chance.ts';
import type { Context } from './context.ts';
import { createDeliveries } from './deliveries.ts';
import { readCall, refused, writeReply } from './exchange.ts';
import type { Call, Reply } from './exchange.ts';
import { refuseEarly, writeWithFault } from './faults.ts';
import type { OutcomeName } from './outcomes.ts';
import { createPrompts } from './prompts.ts';
import type { Prompt, Prompts } from './prompts.ts';
import { REFUSALS } from './refusals.ts';
import { NO_NUISANCES } from './settings.ts';
import type { DarajaOptions, Settings } from './settings.ts';
import { createStkRoutes } from './stk-routes.ts';
import type { Served } from './stk-routes.ts';
import { createTokens } from './tokens.ts';

/** A Daraja whose money is made up. */
export interface DarajaSimulator extends AsyncDisposable {
  /** `http://127.0.0.1:<port>`: the base URL of every endpoint. */
  readonly url: string;
  readonly shortCode: string;
  /** Every movement of money, in its order. */
  readonly book: () => BookSummary;
  /** Every prompt, open ones included. */
  readonly prompts: () => readonly Prompt[];
  /** Answers an open prompt, by its CheckoutRequestID or the phone; resolves when its events were sent. */
  readonly answerPrompt: (idOrPhone: string, outcome: OutcomeName) => Promise<void>;
  /** How many access tokens were issued. */
  readonly tokensIssued: () => number;
  /** Ends the access token before its time. */
  readonly revokeToken: () => void;
  /** How many requests reached each path. */
  readonly requests: () => Readonly<Record<string, number>>;
  /** Changes the given settings and leaves the rest, for requests that come from now on. */
  readonly configure: (changes: Partial<Settings>) => void;
  /** Resolves when every outcome that is due came, and every event that is due was sent, held ones included. */
  readonly settled: () => Promise<void>;
  readonly close: () => Promise<void>;
}

type Route = (call: Call, requestId: string) => Served | Promise<Served>;

/** Starts a server that answers as Daraja does. It listens on this machine only, and sends to it only. */
export async function startDaraja(options: DarajaOptions = {}): Promise<DarajaSimulator> {
  const closing = new AbortController();
  const context = createContext(options, closing.signal);
  const prompts = createPrompts(context);
  const routes = createRoutes(context, prompts);
  const counts = new Map<string, number>();
  const server = createServer((request, response) => {
    serve({ context, routes, counts }, request, response).catch(() => response.destroy());
  });
  // Longer than any client keeps an idle connection: the simulator must not be the one that closes it.
  server.keepAliveTimeout = 60_000;
  server.listen(options.port ?? 0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  const port = typeof address === 'object' && address !== null ? address.port : 0;

  async function close(): Promise<void> {
    if (!server.listening) return;
    closing.abort();
    const closed = once(server, 'close');
    server.close();
    server.closeAllConnections();
    await Promise.all([closed, context.deliveries.close()]);
  }
  return {
    url: `http://127.0.0.1:${String(port)}`,
    shortCode: context.organisation.shortCode,
    book: () => context.book.summary(),
    prompts: () => prompts.all,
    answerPrompt: (idOrPhone, outcome) => prompts.answer(idOrPhone, outcome),
    tokensIssued: () => context.tokens.issued,
    revokeToken: () => context.tokens.revoke(),
    requests: () => Object.fromEntries(counts),
    configure(changes) {
      context.settings = { ...context.settings, ...changes };
    },
    async settled() {
      await prompts.settled();
      await context.deliveries.settled();
    },
    close,
    [Symbol.asyncDispose]: close,
  };
}

function createContext(options: DarajaOptions, closing: AbortSignal): Context {
  const { now = () => new Date(), seed = 'daraja' } = options;
  const chance = createChance(seed);
  const settings: Settings = {
    behaviour: options.behaviour ?? (() => ({})),
    fault: options.fault ?? (() => null),
    nuisances: { ...NO_NUISANCES, ...options.nuisances },
    promptMs: options.promptMs ?? 60_000,
    pendingAs: options.pendingAs ?? 'error',
    tokenLifetimeS: options.tokenLifetimeS ?? 3_599,
    attempts: options.attempts ?? 1,
  };
  const context: Context = {
    organisation: {
      shortCode: options.shortCode ?? '600100',
      till: options.till ?? null,
      passkey: options.passkey ?? 'simulated-passkey',
      name: options.name ?? 'DAFTARI',
    },
    consumer: {
      key: options.consumerKey ?? 'simulated-key',
      secret: options.consumerSecret ?? 'simulated-secret',
    },
    now,
    chance,
    tokens: createTokens({
      random: chance.of('tokens'),
      now,
      lifetimeS: () => context.settings.tokenLifetimeS,
    }),
    book: openBook(options.openingBalance ?? '0.00'),
    deliveries: createDeliveries({ attempts: () => context.settings.attempts }),
    closing,
    settings,
    urls: null,
  };
  return context;
}

function createRoutes(context: Context, prompts: Prompts): Readonly<Record<string, Route>> {
  const stk = createStkRoutes(context, prompts);
  return {
    'GET /oauth/v1/generate': (call, requestId) => ({ reply: generateToken(context, call, requestId) }),
    'POST /mpesa/stkpush/v1/processrequest': (call, requestId) => stk.processRequest(call, requestId),
    'POST /mpesa/stkpushquery/v1/query': (call, requestId) => stk.query(call, requestId),
  };
}

interface Serving {
  readonly context: Context;
  readonly routes: Readonly<Record<string, Route>>;
  readonly counts: Map<string, number>;
}

async function serve(serving: Serving, request: IncomingMessage, response: ServerResponse): Promise<void> {
  const { context, counts } = serving;
  const call = await readCall(request);
  const path = call.url.pathname;
  const before = counts.get(path) ?? 0;
  counts.set(path, before + 1);
  const requestId = `${context.chance.of(`request ${path} ${String(before)}`).text(5, '0123456789')}-${String(before)}-1`;
  const fault = context.settings.fault({ path, before });
  const early = refuseEarly(fault, requestId);
  if (early === 'lost') return void response.destroy();
  if (early !== null) return writeReply(response, early);
  const served = await route(serving, call, requestId);
  writeWithFault(response, served.reply, served.fault ?? fault);
  await served.afterwards?.();
}

async function route({ context, routes }: Serving, call: Call, requestId: string): Promise<Served> {
  const path = call.url.pathname;
  const found = routes[`${call.method} ${path}`];
  if (found === undefined) {
    const isKnown = Object.keys(routes).some((each) => each.endsWith(` ${path}`));
    return { reply: refused(REFUSALS[isKnown ? 'wrong-method' : 'no-resource'], requestId) };
  }
  if (path.startsWith('/oauth/')) return found(call, requestId);
  const [, token] = /^Bearer (.+)$/i.exec(call.authorization) ?? [];
  if (token === undefined) return { reply: refused(REFUSALS['missing-token'], requestId) };
  if (!context.tokens.accepts(token)) return { reply: refused(REFUSALS['invalid-token'], requestId) };
  return found(call, requestId);
}

function generateToken({ consumer, tokens }: Context, call: Call, requestId: string): Reply {
  if (call.url.searchParams.get('grant_type') !== 'client_credentials') {
    return refused(REFUSALS['invalid-grant-type'], requestId);
  }
  const expected = Buffer.from(`${consumer.key}:${consumer.secret}`).toString('base64');
  if (call.authorization !== `Basic ${expected}`)
    return refused(REFUSALS['invalid-authentication'], requestId);
  return { status: 200, body: { access_token: tokens.issue(), expires_in: '3599' } };
}
