import { findWallets, findWalletsByName, lookupWallet, openWallet } from '@repo/db';
import type { Wallet } from '@repo/db';
import { callerOf, lowerCase } from '@repo/http';
import type { HttpServer } from '@repo/http';
import { maskName } from '@repo/receipts';
import type { RouteContext } from '../dependencies.ts';
import { refuseIssuerName } from './issuer-name.ts';
import { unknownWallet } from '../problems.ts';
import { BALANCE_SCHEMA, LOOKUP_SCHEMA, OPEN_SCHEMA, SEARCH_SCHEMA } from './wallet-schemas.ts';

/** Adds the routes that open wallets and read them. */
export function addWalletRoutes(
  app: HttpServer,
  { db, reads, issuer, limits, requireKey }: RouteContext,
): void {
  // An empty wallet moves nothing and endangers nobody, so that opening one is no matter for administrators.
  const open = { onRequest: requireKey('transact'), schema: OPEN_SCHEMA };
  app.post('/wallets', open, async (request, reply) => {
    const { holderName, phone, currency, language } = request.body;
    const key = request.headers['idempotency-key'];
    refuseIssuerName(holderName, issuer);
    const opened = await openWallet(db, {
      holderName,
      phone,
      ...(currency === undefined ? {} : { currency }),
      ...(language === undefined ? {} : { language }),
      ...(key === undefined ? {} : { idempotencyKey: key }),
    });
    return reply.code(opened.replayed ? 200 : 201).send(wholeWallet(opened));
  });

  const lookup = { onRequest: requireKey('read'), schema: LOOKUP_SCHEMA };
  app.get('/wallets/:number', lookup, async (request) => {
    limits.countLookup(request);
    // Every number is looked up, also one whose check digit is wrong: a short cut could be timed.
    const wallet = await lookupWallet(db, request.params.number);
    if (wallet === null) throw unknownWallet();
    return maskWallet(wallet);
  });

  // Whole ranges of numbers come out of this one, so it takes more than the right to read.
  const search = { onRequest: requireKey('admin'), schema: SEARCH_SCHEMA };
  app.get('/wallets', search, async (request) => {
    limits.countLookup(request);
    const { phone, prefix, name, cursor, limit } = request.query;
    if (name !== undefined) {
      const asked = { name, limit, ...(cursor === undefined ? {} : { cursor }) };
      const found = await reads.current((handle) => findWalletsByName(handle, asked));
      // Who looks for people by name leaves a trace; the name itself is no matter for a log.
      request.log.info(
        { found: found.wallets.length, key: callerOf(request)?.id },
        'wallets were looked for by the name of their holder',
      );
      return { items: found.wallets.map(namedWallet), nextCursor: found.nextCursor };
    }
    const asked = {
      limit,
      ...(phone === undefined ? {} : { phone }),
      ...(prefix === undefined ? {} : { prefix }),
      ...(cursor === undefined ? {} : { cursor }),
    };
    const page = await reads.current((handle) => findWallets(handle, asked));
    return { items: page.wallets.map(maskWallet), nextCursor: page.nextCursor };
  });

  const balance = { onRequest: requireKey('read'), schema: BALANCE_SCHEMA };
  app.get('/wallets/:number/balance', balance, (request) =>
    limits.countMisses(request, async () => {
      const asOf = new Date().toISOString();
      const wallet = await lookupWallet(db, request.params.number);
      if (wallet === null) throw unknownWallet();
      const { number, held, available, currency } = wallet;
      return { number, balance: wallet.balance, held, available, currency, asOf };
    }),
  );
}

/** A wallet as its own people see it. */
export function wholeWallet({ number, holderName, phone, currency, status, balance, language }: Wallet) {
  return { number, holderName, phone, currency, status: lowerCase(status), balance, language };
}

/** A wallet as support sees it, who must tell people of one name apart. */
function namedWallet({ number, holderName, status, currency }: Wallet) {
  return { number, holderName, status: lowerCase(status), currency };
}

/** A wallet as it may be shown to callers who want to pay into it. */
export function maskWallet({ number, holderName, status, currency }: Wallet) {
  return { number, holderName: maskName(holderName) ?? '***', status: lowerCase(status), currency };
}
