import {
  DaftariError,
  ERROR_CATALOGUE,
  ERROR_SUBJECTS,
  createReads,
  createSchemaCheck,
  findApiKey,
  isDaftariError,
} from '@repo/db';
import { createKeyCache, createServer, followReads, fullAccessKey } from '@repo/http';
import type { Server, ServerOptions } from '@repo/http';
import { createC2bMetrics } from './c2b-metrics.ts';
import { addC2bRoutes, CALLBACK_ROOTS } from './c2b-routes.ts';
import type { AppDependencies } from './dependencies.ts';
import { addCallbackListRoutes } from './callback-list-routes.ts';
import { addDepositListRoutes } from './deposit-list-routes.ts';
import { addDepositRoutes } from './deposit-routes.ts';
import { addReleaseRoutes } from './release-routes.ts';
import { addReconciliationRoutes } from './statements/reconciliation-routes.ts';
import { addStatementRoutes } from './statements/statement-routes.ts';
import { addSuspenseRoutes } from './suspense-routes.ts';

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
    secrets: [settings.callbackToken, settings.apiKey],
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
      },
      isError: isDaftariError,
    },
    trustProxy: settings.trustProxy,
    callbackRoots: CALLBACK_ROOTS,
    ...(settings.maxCallbacks === undefined ? {} : { maxCallbacks: settings.maxCallbacks }),
    ...log,
  });
  const { app, metrics, requireKey } = server;
  await addC2bRoutes(server, deps, createC2bMetrics(metrics, intake));
  const reads = deps.reads ?? createReads(db);
  followReads(server, reads);
  const context = { db, reads, requireKey };
  addDepositListRoutes(app, context);
  addDepositRoutes(app, deps, requireKey);
  addReleaseRoutes(app, deps, requireKey);
  addCallbackListRoutes(app, context);
  addSuspenseRoutes(app, context);
  await addStatementRoutes(app, deps, requireKey);
  addReconciliationRoutes(app, deps, requireKey);
  return server;
}
