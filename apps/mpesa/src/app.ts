import { DaftariError, ping } from '@repo/db';
import { createServer, fullAccessKey } from '@repo/http';
import type { Server, ServerOptions } from '@repo/http';
import { createC2bMetrics } from './c2b-metrics.ts';
import { addC2bRoutes } from './c2b-routes.ts';
import type { AppDependencies } from './dependencies.ts';
import { addDepositRoutes } from './deposit-routes.ts';
import { mapError } from './problems.ts';

/** Builds the M-PESA service. It does not listen and opens nothing. */
export async function createApp(
  deps: AppDependencies,
  log: Pick<ServerOptions, 'logDestination'> = {},
): Promise<Server> {
  const { db, intake, settings } = deps;
  const server = await createServer({
    service: 'mpesa',
    description: 'Takes in what M-PESA reports and credits every payment exactly once.',
    version: '0.1.0',
    logLevel: settings.logLevel,
    secrets: [settings.callbackToken, settings.apiKey],
    trustedErrors: [DaftariError],
    apiKeys: [fullAccessKey(settings.apiKey)],
    readiness: () => ping(db),
    mapError,
    trustProxy: settings.trustProxy,
    ...log,
  });
  const { app, metrics, requireKey } = server;
  await addC2bRoutes(app, deps, createC2bMetrics(metrics, intake));
  addDepositRoutes(app, deps, requireKey('deposits:read'));
  return server;
}
