import { expect, test } from 'vitest';
import { useTestDb } from '../testing/database/test-db.ts';
import { newPhone } from '../testing/database/wallet-fixtures.ts';
import { findWallets, lookupWallet, openWallet } from './wallets.ts';

const database = useTestDb();

test.for([
  [undefined, 'en'],
  ['en', 'en'],
  ['sw', 'sw'],
] as const)('a wallet opened with language %s is written in %s', async ([language, expected]) => {
  const phone = newPhone();
  const request = { holderName: 'Wanjiku Kamau', phone };
  const opened = await openWallet(database.db, language === undefined ? request : { ...request, language });
  expect(opened.language).toBe(expected);
  expect(await lookupWallet(database.db, opened.number)).toMatchObject({ language: expected });
  expect(await findWallets(database.db, { phone })).toMatchObject({ wallets: [{ language: expected }] });
});

test('a wallet in a language that nobody writes is refused with the field', async () => {
  const request = { holderName: 'Wanjiku Kamau', phone: newPhone(), language: 'fr' as 'en' };
  await expect(openWallet(database.db, request)).rejects.toMatchObject({
    code: 'invalid_wallet',
    field: 'language',
  });
});
