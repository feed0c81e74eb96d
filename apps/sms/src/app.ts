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
import { addCallbackRoutes, CALLBACK_ROOTS } from './callbacks/routes.ts';
import { addCostRoutes } from './messages/cost-routes.ts';
import type { AppDependencies, RouteContext } from './dependencies.ts';
import { addMessageListRoutes } from './messages/list-routes.ts';
import { addMessageRoutes } from './messages/routes.ts';
import { createSmsMetrics } from './sms-metrics.ts';
import type { SmsMetrics } from './sms-metrics.ts';
import { addTemplateRoutes } from './messages/template-routes.ts';
import { addUnknownRoutes } from './messages/unknown-routes.ts';

/** How long a key that was found is believed: that long does a revoked one work in other processes. */
const KEY_CACHE_MS = 5_000;

/** The service without its sender, and what else is to be counted. */
export interface App {
  readonly server: Server;
  readonly metrics: SmsMetrics;
}

/** Builds the SMS service. It does not listen, opens nothing and sends nothing. */
export async function createApp(
  deps: AppDependencies,
  log: Pick<ServerOptions, 'logDestination'> = {},
): Promise<App> {
  const { db, settings } = deps;
  const keyCache = createKeyCache((key) => findApiKey(db, key), {
    ttlMs: settings.keyCacheMs ?? KEY_CACHE_MS,
  });
  const server = await createServer({
    service: 'sms',
    description: 'Sends messages to customers, follows them up, and accounts for what they cost.',
    version: '0.1.0',
    logLevel: settings.logLevel,
    secrets: [settings.callbackToken, settings.apiKey],
    trustedErrors: [DaftariError],
    apiKeys: [fullAccessKey(settings.apiKey)],
    findKey: keyCache.find,
    readiness: createSchemaCheck(db),
    domain: {
      catalogue: ERROR_CATALOGUE,
      listed: { ...ERROR_SUBJECTS.requests, ...ERROR_SUBJECTS.sms },
      isError: isDaftariError,
    },
    callbackRoots: CALLBACK_ROOTS,
    ...(settings.maxCallbacks === undefined ? {} : { maxCallbacks: settings.maxCallbacks }),
    ...(settings.maxClients === undefined ? {} : { maxClients: settings.maxClients }),
    ...log,
  });
  const metrics = createSmsMetrics(server.metrics);
  const reads = deps.reads ?? createReads(db);
  followReads(server, reads);
  const context: RouteContext = { db, reads, metrics, requireKey: server.requireKey };
  addMessageRoutes(server.app, context);
  addMessageListRoutes(server.app, context);
  addUnknownRoutes(server.app, context);
  addCostRoutes(server.app, context);
  addTemplateRoutes(server.app, context);
  await addCallbackRoutes(server, deps, metrics);
  return { server, metrics };
}
