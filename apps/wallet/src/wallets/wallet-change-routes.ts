import { closeWallet, freezeWallet, isDaftariError, unfreezeWallet, updateWallet } from '@repo/db';
import { actorOf } from '@repo/http';
import type { HttpServer } from '@repo/http';
import type { RouteContext } from '../dependencies.ts';
import { refuseIssuerName } from './issuer-name.ts';
import { unknownWallet } from '../problems.ts';
import { maskWallet, wholeWallet } from './wallet-routes.ts';
import { changeSchema, UPDATE_SCHEMA } from './wallet-schemas.ts';

const CHANGES = [
  {
    operationId: 'freezeWallet',
    path: '/wallets/:number/freeze',
    change: freezeWallet,
    summary: 'Freezes a wallet: nothing moves out or in.',
  },
  {
    operationId: 'unfreezeWallet',
    path: '/wallets/:number/unfreeze',
    change: unfreezeWallet,
    summary: 'Lifts the freeze of a wallet.',
  },
  {
    operationId: 'closeWallet',
    path: '/wallets/:number/close',
    change: closeWallet,
    summary: 'Closes an empty wallet for good.',
  },
] as const;

/** Adds the routes that freeze, unfreeze and close wallets, and change whose they are. */
export function addWalletChangeRoutes(
  app: HttpServer,
  { db, issuer, limits, requireKey }: RouteContext,
): void {
  for (const { operationId, path, change, summary } of CHANGES) {
    const options = { onRequest: requireKey('admin'), schema: { operationId, ...changeSchema(summary) } };
    app.post(path, options, (request) =>
      limits.countMisses(request, async () => {
        const { number } = request.params;
        const note = { reason: request.body.reason, actor: actorOf(request) };
        return maskWallet(await ofPath(change(db, { wallet: number, ...note })));
      }),
    );
  }

  const update = { onRequest: requireKey('admin'), schema: UPDATE_SCHEMA };
  app.patch('/wallets/:number', update, (request) =>
    limits.countMisses(request, async () => {
      const { holderName, phone, language, reason } = request.body;
      if (holderName !== undefined) refuseIssuerName(holderName, issuer);
      const changing = updateWallet(db, {
        number: request.params.number,
        reason,
        actor: actorOf(request),
        ...(holderName === undefined ? {} : { holderName }),
        ...(phone === undefined ? {} : { phone }),
        ...(language === undefined ? {} : { language }),
      });
      return wholeWallet(await ofPath(changing));
    }),
  );
}

/** Awaits work on the wallet in the path, which is not found when the ledger does not know it. */
export async function ofPath<Result>(work: Promise<Result>): Promise<Result> {
  try {
    return await work;
  } catch (error) {
    if (!isDaftariError(error)) throw error;
    // A text that cannot be a number is no worse than a number that nobody has.
    const isUnknown = error.code === 'unknown_wallet' || error.field === 'wallet';
    throw isUnknown ? unknownWallet() : error;
  }
}
