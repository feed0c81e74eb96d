import { Buffer } from 'node:buffer';
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { BookedEvent } from './book.ts';
import type { Context } from './context.ts';
import { readCall, refused, writeReply } from './exchange.ts';
import type { Call, Reply } from './exchange.ts';
import { refuseEarly, writeWithFault } from './faults.ts';
import type { Prompts } from './prompts.ts';
import { createPull } from './pull.ts';
import { REFUSALS } from './refusals.ts';
import { registerUrls } from './registration.ts';
import type { Served } from './served.ts';
import { createStkRoutes } from './stk-routes.ts';
import { queryTransaction } from './transaction-status.ts';

/** The endpoints, and how often each was called. */
export interface Routes {
  serve(request: IncomingMessage, response: ServerResponse): Promise<void>;
  readonly counts: ReadonlyMap<string, number>;
}

type Route = (call: Call, requestId: string) => Served | Promise<Served>;

export function createRoutes(context: Context, prompts: Prompts, results: BookedEvent[]): Routes {
  const table = routeTable(context, prompts, results);
  const counts = new Map<string, number>();

  async function serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const call = await readCall(request);
    const path = call.url.pathname;
    const before = counts.get(path) ?? 0;
    counts.set(path, before + 1);
    const node = context.chance.of(`request ${path} ${String(before)}`).text(5, '0123456789');
    const requestId = `${node}-${String(before)}-1`;
    const fault = context.settings.fault({ path, before });
    const early = refuseEarly(fault, requestId);
    if (early === 'lost') return void response.destroy();
    if (early !== null) return writeReply(response, early);
    const served = await answer(context, table, { call, requestId });
    writeWithFault(response, served.reply, served.fault ?? fault);
    await served.afterwards?.();
  }
  return { serve, counts };
}

function routeTable(
  context: Context,
  prompts: Prompts,
  record: BookedEvent[],
): Readonly<Record<string, Route>> {
  const stk = createStkRoutes(context, prompts);
  const pull = createPull(context);
  const pulled: Route = (call, requestId) => ({ reply: pull.query(call, requestId) });
  return {
    'GET /oauth/v1/generate': (call, requestId) => ({ reply: generateToken(context, call, requestId) }),
    'POST /mpesa/stkpush/v1/processrequest': (call, requestId) => stk.processRequest(call, requestId),
    'POST /mpesa/stkpushquery/v1/query': (call, requestId) => stk.query(call, requestId),
    'POST /mpesa/transactionstatus/v1/query': (call, requestId) =>
      queryTransaction(context, call, { requestId, record }),
    'POST /mpesa/c2b/v1/registerurl': (call, requestId) => ({
      reply: registerUrls(context, call, { version: 1, requestId }),
    }),
    'POST /mpesa/c2b/v2/registerurl': (call, requestId) => ({
      reply: registerUrls(context, call, { version: 2, requestId }),
    }),
    'POST /pulltransactions/v1/register': (call, requestId) => ({ reply: pull.register(call, requestId) }),
    'POST /pulltransactions/v1/query': pulled,
    // The documentation names both methods.
    'GET /pulltransactions/v1/query': pulled,
  };
}

interface Asked {
  readonly call: Call;
  readonly requestId: string;
}

async function answer(
  { tokens }: Context,
  table: Readonly<Record<string, Route>>,
  { call, requestId }: Asked,
): Promise<Served> {
  const path = call.url.pathname;
  const route = table[`${call.method} ${path}`];
  if (route === undefined) {
    const isKnown = Object.keys(table).some((each) => each.endsWith(` ${path}`));
    return { reply: refused(REFUSALS[isKnown ? 'wrong-method' : 'no-resource'], requestId) };
  }
  if (path.startsWith('/oauth/')) return route(call, requestId);
  const [, token] = /^Bearer (.+)$/i.exec(call.authorization) ?? [];
  if (token === undefined) return { reply: refused(REFUSALS['missing-token'], requestId) };
  if (!tokens.accepts(token)) return { reply: refused(REFUSALS['invalid-token'], requestId) };
  return route(call, requestId);
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
