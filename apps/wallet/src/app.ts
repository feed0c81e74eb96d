import type { AddressInfo } from 'node:net';
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
import type { HttpServer, Server, ServerOptions } from '@repo/http';
import { ReceiptError } from '@repo/receipts';
import { addApiKeyRoutes } from './api-key-routes.ts';
import type { AppDependencies, RouteContext } from './dependencies.ts';
import { addFeeRoutes } from './ledger/fee-routes.ts';
import { addHoldRoutes } from './ledger/hold-routes.ts';
import { refuseOtherForms } from './json-only.ts';
import { createLookupLimits } from './wallets/lookup-limits.ts';
import { mapAmount, RECEIPT_PROBLEMS } from './problems.ts';
import { addPublicLimit } from './receipts/public-limit.ts';
import { addReceiptRoutes } from './receipts/receipt-routes.ts';
import { addStatementRoutes } from './receipts/statement-routes.ts';
import { addTransactionRoutes } from './ledger/transaction-routes.ts';
import { addTransferRoutes } from './ledger/transfer-routes.ts';
import { addVerifyRoutes } from './receipts/verify-routes.ts';
import { createWalletMetrics } from './wallet-metrics.ts';
import { addWalletRoutes } from './wallets/wallet-routes.ts';
import { addWalletChangeRoutes } from './wallets/wallet-change-routes.ts';

/** How long a key that was found is believed: that long does a revoked one work in other processes. */
const KEY_CACHE_MS = 5_000;

/** Builds the wallet service. It does not listen and opens nothing. */
export async function createApp(
  deps: AppDependencies,
  log: Pick<ServerOptions, 'logDestination'> = {},
): Promise<Server> {
  const { db, transfers, ledger, settings } = deps;
  const keyCache = createKeyCache((key) => findApiKey(db, key), {
    ttlMs: settings.keyCacheMs ?? KEY_CACHE_MS,
  });
  const server = await createServer({
    service: 'wallet',
    description: 'Wallets, transfers between them, holds, reversals, fees, statements and receipts.',
    version: '0.1.0',
    logLevel: settings.logLevel,
    secrets: [settings.apiKey],
    trustedErrors: [DaftariError, ReceiptError],
    apiKeys: [fullAccessKey(settings.apiKey)],
    findKey: keyCache.find,
    readiness: createSchemaCheck(db),
    domain: {
      catalogue: ERROR_CATALOGUE,
      listed: {
        ...ERROR_SUBJECTS.requests,
        ...ERROR_SUBJECTS.wallets,
        ...ERROR_SUBJECTS.ledger,
        ...ERROR_SUBJECTS.deposits,
      },
      isError: isDaftariError,
    },
    mapError: mapAmount,
    problems: RECEIPT_PROBLEMS,
    ...(settings.trustProxy === undefined ? {} : { trustProxy: settings.trustProxy }),
    ...(settings.maxClients === undefined ? {} : { maxClients: settings.maxClients }),
    ...log,
  });
  const { app, requireKey } = server;
  const reads = deps.reads ?? createReads(db);
  followReads(server, reads);
  const metrics = createWalletMetrics(server.metrics, { transfers, ledger });
  const limits = createLookupLimits({
    perMinute: settings.lookupRate,
    onLimited: () => metrics.limited.inc(),
  });
  await addPublicLimit(app, { perMinute: settings.verifyRate, onLimited: () => metrics.limited.inc() });
  const issuer = settings.issuer ?? null;
  const context: RouteContext = { db, reads, issuer, limits, metrics, requireKey };
  refuseOtherForms(app);
  addWalletRoutes(app, context);
  addWalletChangeRoutes(app, context);
  addStatementRoutes(app, context);
  addTransferRoutes(app, context, transfers);
  addHoldRoutes(app, context, ledger);
  addTransactionRoutes(app, context, ledger);
  addFeeRoutes(app, context);
  const baseUrl = () => settings.publicUrl ?? ownAddress(app);
  addReceiptRoutes(app, context, { keys: deps.receiptKeys, baseUrl });
  addVerifyRoutes(app, context);
  addApiKeyRoutes(app, context, keyCache);
  return server;
}

/** Where this machine reaches the service: all that is known without PUBLIC_URL. */
function ownAddress(app: HttpServer): string {
  const [address] = app.addresses() as (AddressInfo | undefined)[];
  return `http://127.0.0.1:${String(address?.port ?? 4001)}`;
}
