import { expect, test } from 'vitest';
import { lookupWallet, openWallet } from './wallets.ts';
import { hasCheckDigit } from './wallet-number.ts';
import { transaction } from '../connection/transaction.ts';
import { post } from '../testing/database/post.ts';
import { newReceipt } from '../testing/deposits/sample-deposit.ts';
import { useTestDb } from '../testing/database/test-db.ts';
import { newPhone, openCustomer, openFunded, setGuarded } from '../testing/database/wallet-fixtures.ts';

const database = useTestDb();
const invalid = (field: string) => expect.objectContaining({ code: 'invalid_wallet', field });

test('a wallet opens active, in shillings and with nothing in it', async () => {
  const wallet = await openWallet(database.db, { holderName: ' Wanjiku Kamau ', phone: '0712 345-678' });
  expect(wallet).toEqual({
    number: expect.stringMatching(/^[1-9]\d{9}$/),
    holderName: 'Wanjiku Kamau',
    phone: '254712345678',
    currency: 'KES',
    status: 'ACTIVE',
    balance: '0.00',
    held: '0.00',
    available: '0.00',
    language: 'en',
    replayed: false,
  });
});

test('the number that a wallet is given has its check digit', async () => {
  expect(hasCheckDigit(await openCustomer(database.db))).toBe(true);
});

test('what was opened is found again', async () => {
  const { replayed, ...wallet } = await openWallet(database.db, { holderName: 'Otieno', phone: newPhone() });
  expect(replayed).toBe(false);
  expect(await lookupWallet(database.db, wallet.number)).toEqual(wallet);
});

test.for([
  ['0712345678'],
  ['712345678'],
  ['254712345678'],
  ['+254712345678'],
  ['00254712345678'],
  ['+254 712 345 678'],
  ['0712-345-678'],
  ['0712\u00a0345\u00a0678'],
])('the phone %s is one and the same', async ([phone]) => {
  const wallet = await openWallet(database.db, { holderName: 'Otieno', phone: phone ?? '' });
  expect(wallet.phone).toBe('254712345678');
});

test('a number of the 01 range is a phone too', async () => {
  const wallet = await openWallet(database.db, { holderName: 'Otieno', phone: '0112345678' });
  expect(wallet.phone).toBe('254112345678');
});

test.for([
  ['nothing', ''],
  ['a digit too few', '071234567'],
  ['a digit too many', '07123456789'],
  ['a landline', '0201234567'],
  ['another country', '+255712345678'],
  ['letters', '07123456ab'],
  ['a mask', '2547 ***** 126'],
  ['a line break and more', '0712345678\n0712345679'],
  ['NUL', '0712345\u0000678'],
  ['half a character', '0712345678\ud800'],
  ['digits of another script', '٠٧١٢٣٤٥٦٧٨'],
])('%s as a phone is refused', async ([, phone]) => {
  const opening = openWallet(database.db, { holderName: 'Otieno', phone: phone ?? '' });
  await expect(opening).rejects.toThrow(invalid('phone'));
});

test.for([
  ['nothing', ''],
  ['only spaces', ' \t '],
  ['121 characters', 'a'.repeat(121)],
  ['NUL', 'Otieno\0'],
  ['half a character', 'Otieno\udc00'],
])('%s as a holder name is refused', async ([, holderName]) => {
  const opening = openWallet(database.db, { holderName: holderName ?? '', phone: newPhone() });
  await expect(opening).rejects.toThrow(invalid('holderName'));
});

test('a name counts by characters, and those beyond the basic plane fit', async () => {
  const holderName = '𠮷'.repeat(120);
  const number = await openCustomer(database.db, { holderName });
  expect(await lookupWallet(database.db, number)).toMatchObject({ holderName });
});

test.for([
  ['nothing', ''],
  ['21 characters', '1'.repeat(21)],
  ['NUL', '12\0'],
  ['half a character', '12\ud800'],
  ['a space', ' '],
  ['a number with a space behind', '12 '],
])('%s as a number is refused', async ([, number]) => {
  const opening = openWallet(database.db, { holderName: 'Otieno', phone: newPhone(), number: number ?? '' });
  await expect(opening).rejects.toThrow(invalid('number'));
});

test('a number that the wallet has already is kept, whatever its shape', async () => {
  expect(await openCustomer(database.db, { number: 'Tandem/27-b' })).toBe('Tandem/27-b');
});

test('a number that is taken is refused, and its wallet stays as it was', async () => {
  const number = await openCustomer(database.db, { holderName: 'First' });
  const before = await lookupWallet(database.db, number);
  await expect(openCustomer(database.db, { number, holderName: 'Second' })).rejects.toThrow(
    expect.objectContaining({ code: 'wallet_exists' }),
  );
  expect(await lookupWallet(database.db, number)).toEqual(before);
});

test("a system wallet's number is taken", async () => {
  await expect(openCustomer(database.db, { number: 'SUSPENSE' })).rejects.toThrow(
    expect.objectContaining({ code: 'wallet_exists' }),
  );
});

test('of ten who ask for one number at once, one gets it', async () => {
  const asking = Array.from({ length: 10 }, () => openCustomer(database.db, { number: 'WANTED' }));
  const results = await Promise.allSettled(asking);
  expect(results.filter(({ status }) => status === 'fulfilled')).toHaveLength(1);
});

test('a wallet that a transaction opened goes with the transaction', async () => {
  const failed = transaction(database.db, async (tx) => {
    await openCustomer(tx, { number: 'UNDONE' });
    throw new Error('changed my mind');
  });
  await expect(failed).rejects.toThrow('changed my mind');
  expect(await lookupWallet(database.db, 'UNDONE')).toBeNull();
});

test('a transaction goes on after a number was taken', async () => {
  await openCustomer(database.db, { number: 'TAKEN' });
  await transaction(database.db, async (tx) => {
    const opening = openCustomer(tx, { number: 'TAKEN' });
    await expect(opening).rejects.toThrow(expect.objectContaining({ code: 'wallet_exists' }));
    await openCustomer(tx, { number: 'FREE' });
  });
  expect(await lookupWallet(database.db, 'FREE')).not.toBeNull();
});

test.for([['MPESA-FLOAT'], ['SUSPENSE'], ['FEES']])('%s is nobody to look up', async ([number]) => {
  expect(await lookupWallet(database.db, number ?? '')).toBeNull();
});

test.for([
  ['nothing', ''],
  ['a wildcard', '%'],
  ['a quote', `' OR '1'='1`],
  ['NUL', '1\0'],
  ['half a character', '\ud800'],
  ['a very long text', '1'.repeat(100_000)],
])('%s finds no wallet', async ([, number]) => {
  expect(await lookupWallet(database.db, number ?? '')).toBeNull();
});

test('numbers with letters are told apart by case', async () => {
  await openCustomer(database.db, { number: 'duka-5' });
  expect(await lookupWallet(database.db, 'DUKA-5')).toBeNull();
});

test('what is held is not available', async () => {
  const number = await openFunded(database, '100.00');
  await setGuarded(database.sql, number, { held: '30.50' });
  expect(await lookupWallet(database.db, number)).toMatchObject({
    balance: '100.00',
    held: '30.50',
    available: '69.50',
  });
});

test('the balance follows the postings', async () => {
  const number = await openFunded(database, '100.00');
  await post(database.sql, [{ reference: newReceipt(), from: number, to: 'FEES', amount: '0.01' }]);
  expect(await lookupWallet(database.db, number)).toMatchObject({ balance: '99.99' });
});
