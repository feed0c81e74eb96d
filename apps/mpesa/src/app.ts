import {
  DaftariError,
  ERROR_CATALOGUE,
  ERROR_SUBJECTS,
  createReads,
  createSchemaCheck,
  findApiKey,
  isDaftariError,
} from '@repo/db';
import type { Reads } from '@repo/db';
import { createKeyCache, createServer, followReads, fullAccessKey } from '@repo/http';
import type { Server, ServerOptions } from '@repo/http';
import { createC2bMetrics } from './c2b-metrics.ts';
import { addC2bRoutes, C2B_ROOTS } from './c2b-routes.ts';
import type { AppDependencies } from './dependencies.ts';
import { addCallbackListRoutes } from './callback-list-routes.ts';
import { addDepositListRoutes } from './deposit-list-routes.ts';
import { addDepositRoutes } from './deposit-routes.ts';
import { addReplayRoutes } from './replay/replay-routes.ts';
import { addReleaseRoutes } from './release-routes.ts';
import { createGapMetrics } from './gaps/gap-metrics.ts';
import { addGapRoutes } from './gaps/gap-routes.ts';
import { startGapWatch } from './gaps/gap-watch.ts';
import { createPaymentDesk } from './payments/payment-desk.ts';
import type { PaymentDesk } from './payments/payment-desk.ts';
import { createPaymentMetrics } from './payments/payment-metrics.ts';
import { addCorrectionRoutes } from './payments/correction-routes.ts';
import { addReviewRoutes } from './payments/review-routes.ts';
import { PAYMENT_PROBLEMS } from './payments/payment-problems.ts';
import { addPaymentRoutes } from './payments/payment-routes.ts';
import { startPaymentRunner } from './payments/payment-runner.ts';
import { createReceiver } from './receive-callback.ts';
import { addStkRoutes, STK_ROOTS } from './stk/stk-routes.ts';
import { addBreakRoutes } from './statements/break-routes.ts';
import { addBreakSheetRoutes } from './statements/break-sheet-routes.ts';
import { addEvidenceRoutes } from './statements/evidence-routes.ts';
import { addPeriodRoutes } from './statements/period-routes.ts';
import { addReconciliationRoutes } from './statements/reconciliation-routes.ts';
import { addStatementRoutes } from './statements/statement-routes.ts';
import { addSuspenseRoutes } from './suspense-routes.ts';
import { addWebhooks } from './webhooks/add-webhooks.ts';
import { WEBHOOK_PROBLEMS } from './webhooks/webhook-problems.ts';

/** How long a key that was found is believed: that long does a revoked one work here; milliseconds. */
const KEY_CACHE_MS = 5_000;

/** Builds the M-PESA service. It does not listen and opens nothing. */
export async function createApp(
  deps: AppDependencies,
  log: Pick<ServerOptions, 'logDestination'> = {},
): Promise<Server> {
  const { db, intake, settings } = deps;
  const keyCache = createKeyCache((key) => findApiKey(db, key), { ttlMs: KEY_CACHE_MS });
  const server = await createServer({
    service: 'mpesa',
    description: 'Takes in what M-PESA reports and credits every payment exactly once.',
    version: '0.1.0',
    logLevel: settings.logLevel,
    secrets: [settings.callbackToken, settings.apiKey, ...secretsOf(deps)],
    trustedErrors: [DaftariError],
    apiKeys: [fullAccessKey(settings.apiKey)],
    // The keys that the wallet service makes.
    findKey: keyCache.find,
    readiness: createSchemaCheck(db),
    domain: {
      catalogue: ERROR_CATALOGUE,
      listed: {
        ...ERROR_SUBJECTS.requests,
        ...ERROR_SUBJECTS.wallets,
        ...ERROR_SUBJECTS.ledger,
        ...ERROR_SUBJECTS.deposits,
        ...ERROR_SUBJECTS.statements,
        ...ERROR_SUBJECTS.webhooks,
      },
      isError: isDaftariError,
    },
    problems: { ...PAYMENT_PROBLEMS, ...WEBHOOK_PROBLEMS },
    trustProxy: settings.trustProxy,
    callbackRoots: [...C2B_ROOTS, ...STK_ROOTS],
    ...(settings.maxCallbacks === undefined ? {} : { maxCallbacks: settings.maxCallbacks }),
    ...(settings.maxClients === undefined ? {} : { maxClients: settings.maxClients }),
    ...log,
  });
  const { app, metrics, requireKey } = server;
  const c2bMetrics = createC2bMetrics(metrics, intake);
  const callbacks = { metrics: c2bMetrics, receive: createReceiver(deps, c2bMetrics) };
  await addC2bRoutes(server, deps, callbacks);
  await addStkRoutes(server, deps, callbacks);
  const reads = deps.reads ?? createReads(db);
  followReads(server, reads);
  const context = { db, reads, requireKey };
  addPaymentRoutes(app, deps, { ...context, desk: openDesk(deps, server) });
  addDepositListRoutes(app, context);
  addDepositRoutes(app, deps, requireKey);
  addReleaseRoutes(app, deps, requireKey);
  addCallbackListRoutes(app, context);
  addReplayRoutes(app, deps, requireKey);
  addCorrectionRoutes(app, deps, requireKey);
  addReviewRoutes(app, deps, requireKey);
  addSuspenseRoutes(app, context);
  await addStatementRoutes(app, deps, requireKey);
  await addEvidenceRoutes(app, deps, requireKey);
  addReconciliationRoutes(app, deps, requireKey);
  addPeriodRoutes(app, context);
  addBreakRoutes(app, context);
  await addBreakSheetRoutes(app, deps, requireKey);
  addGapRoutes(app, context);
  watchGaps(deps, server, reads);
  addWebhooks(server, deps, context);
  return server;
}

/** Sends requests to phones, and looks after them until the server closes; null where no account at Daraja is set. */
function openDesk(
  { db, daraja, timings, settings }: AppDependencies,
  { app, metrics }: Server,
): PaymentDesk | null {
  if (daraja === null) return null;
  const { callbackToken, callbackUrl } = settings;
  const desk = createPaymentDesk({
    db,
    daraja,
    timings,
    metrics: createPaymentMetrics(metrics),
    log: app.log,
    callbackToken,
    callbackUrl: () => callbackUrl ?? addressOf(app),
  });
  app.addHook('onListen', (done) => {
    const runner = startPaymentRunner({ db, daraja, timings, log: app.log }, desk);
    closing.push(() => runner.stop());
    done();
  });
  const closing: (() => Promise<void>)[] = [];
  app.addHook('preClose', async () => {
    for (const close of closing) await close();
  });
  return desk;
}

/** Looks for gaps, and pulls what is missing where that is set, until the server closes. */
function watchGaps(deps: AppDependencies, { app, metrics }: Server, reads: Reads): void {
  const gapMetrics = createGapMetrics(metrics);
  app.addHook('onListen', (done) => {
    const watch = startGapWatch({ ...deps, reads, metrics: gapMetrics, log: app.log });
    closing.push(() => watch.stop());
    done();
  });
  const closing: (() => Promise<void>)[] = [];
  app.addHook('preClose', async () => {
    for (const close of closing) await close();
  });
}

/** Where the server listens, for a simulator on this machine. */
function addressOf(app: Server['app']): string {
  const address = app.server.address();
  const port = typeof address === 'object' && address !== null ? address.port : 0;
  return `http://127.0.0.1:${String(port)}`;
}

/** What no log may repeat. */
function secretsOf({ daraja, settings }: AppDependencies): string[] {
  const own = settings.webhooks === undefined ? [] : [settings.webhooks.key];
  if (daraja === null) return own;
  const { consumerKey, consumerSecret, passkey, initiator } = daraja.settings;
  return [
    ...own,
    consumerKey,
    consumerSecret,
    passkey,
    ...(initiator === null ? [] : [initiator.credential]),
  ];
}
