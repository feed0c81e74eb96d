import type { Buffer } from 'node:buffer';
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { openBook } from './book.ts';
import type { BookedEvent, BookedPayment, BookSummary } from './book.ts';
import { payByMenu, reversePayment, sweepToBank } from './c2b.ts';
import type { Paid, PayOrder, SweepOrder } from './c2b.ts';
import { createChance } from './chance.ts';
import type { Context } from './context.ts';
import { createDeliveries } from './deliveries.ts';
import type { OutcomeName } from './outcomes.ts';
import { createPrompts } from './prompts.ts';
import type { Prompt } from './prompts.ts';
import { createRoutes } from './routes.ts';
import { NO_NUISANCES } from './settings.ts';
import type { DarajaOptions, Settings } from './settings.ts';
import { exportStatement } from './statement.ts';
import type { StatementStyle } from './statement.ts';
import { createTokens } from './tokens.ts';

/** A Daraja whose money is made up. */
export interface DarajaSimulator extends AsyncDisposable {
  /** `http://127.0.0.1:<port>`: the base URL of every endpoint. */
  readonly url: string;
  readonly shortCode: string;
  /** The name on prompts. */
  readonly name: string;
  /** Every movement of money, in its order. */
  readonly book: () => BookSummary;
  /** The statement of all that happened, as the portal exports it: the bytes of a file. */
  readonly statement: (style?: StatementStyle) => Promise<Buffer>;
  /** Every prompt, open ones included. */
  readonly prompts: () => readonly Prompt[];
  /** Answers an open prompt, by its CheckoutRequestID or the phone; resolves when its events were sent. */
  readonly answerPrompt: (idOrPhone: string, outcome: OutcomeName) => Promise<void>;
  /** Pays by the menu of a phone: asks, moves the money, reports it. Resolves when the report was sent. */
  readonly pay: (order: PayOrder) => Promise<Paid>;
  /** Sends money of the organisation to its bank, by default all of it and without a message. */
  readonly sweep: (order?: SweepOrder) => Promise<BookedPayment>;
  /** Gives a payment back at M-PESA, without a message. */
  readonly reverse: (receipt: string) => BookedPayment;
  /** The results of status requests that were sent. */
  readonly results: () => readonly BookedEvent[];
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

/** Starts a server that answers as Daraja does. It listens on this machine only, and sends to it only. */
export async function startDaraja(options: DarajaOptions = {}): Promise<DarajaSimulator> {
  const closing = new AbortController();
  const context = createContext(options, closing.signal);
  const prompts = createPrompts(context);
  const results: BookedEvent[] = [];
  const routes = createRoutes(context, prompts, results);
  const serve = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const isServed = (await options.serveFirst?.(request, response)) ?? false;
    if (!isServed) await routes.serve(request, response);
  };
  const server = createServer((request, response) => {
    serve(request, response).catch(() => response.destroy());
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
    name: context.organisation.name,
    book: () => context.book.summary(),
    statement: (style = {}) => exportStatement(context, style),
    prompts: () => prompts.all,
    answerPrompt: (idOrPhone, outcome) => prompts.answer(idOrPhone, outcome),
    pay: (order) => payByMenu(context, order),
    sweep: (order = {}) => sweepToBank(context, order),
    reverse: (receipt) => reversePayment(context, receipt),
    results: () => results,
    tokensIssued: () => context.tokens.issued,
    revokeToken: () => context.tokens.revoke(),
    requests: () => Object.fromEntries(routes.counts),
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
    book: openBook(
      options.openingBalance ?? '0.00',
      (cents) => (cents * BigInt(options.charge ?? 0) + 9_999n) / 10_000n,
    ),
    deliveries: createDeliveries({
      attempts: () => context.settings.attempts,
      route: (url) => context.settings.route(url),
    }),
    closing,
    settings: settingsOf(options),
    urls: options.urls ?? null,
  };
  return context;
}

function settingsOf(options: DarajaOptions): Settings {
  return {
    behaviour: options.behaviour ?? (() => ({})),
    fault: options.fault ?? (() => null),
    nuisances: { ...NO_NUISANCES, ...options.nuisances },
    promptMs: options.promptMs ?? 60_000,
    pendingAs: options.pendingAs ?? 'error',
    tokenLifetimeS: options.tokenLifetimeS ?? 3_599,
    attempts: options.attempts ?? 1,
    route: options.route ?? ((url) => url),
    shape: options.shape ?? null,
    isValidated: options.isValidated ?? false,
    validationMs: options.validationMs ?? 8_000,
    isProduction: options.isProduction ?? false,
    isQueueFull: options.isQueueFull ?? false,
    pullClock: options.pullClock ?? 'utc',
  };
}
