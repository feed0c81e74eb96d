import { EnvironmentError, parseEnvironment } from '@repo/http';
import { expect, test } from 'vitest';
import { environmentSchema } from './env.ts';

const REQUIRED = {
  DATABASE_URL: 'postgresql://wallet:secret@localhost:5432/daftari',
  API_KEY: 'a-key',
};

const ISSUER = { ISSUER_NAME: 'Mwananchi Sacco', ISSUER_CONTACT: '0700 000 000' };

const read = (environment: Record<string, string>, isProduction = false) =>
  parseEnvironment('wallet', environmentSchema({ isProduction }), environment);

test('two variables are enough outside production, and the rest has safe defaults', () => {
  expect(read(REQUIRED)).toEqual({
    ...REQUIRED,
    DATABASE_CONNECTIONS: 10,
    DATABASE_POOLER: 'none',
    QUEUE_LIMIT: 2_000,
    DATABASE_READ_LAG_MS: 5_000,
    WALLET_PORT: 4001,
    HOST: '127.0.0.1',
    LOG_LEVEL: 'info',
    LOOKUP_RATE: 600,
    VERIFY_RATE: 120,
    TRUST_PROXY: [],
  });
});

test('in production the signing keys have no default', () => {
  const strong = { ...REQUIRED, ...ISSUER, API_KEY: 'q8Zr2mVt5LxWc1Yh7PbKd4NsJf9Gu3Ea' };
  expect(() => read(strong, true)).toThrow(/RECEIPT_KEYS {2}is not set: the keys that sign receipts/);
  expect(read({ ...strong, RECEIPT_KEYS: '/run/keys.json' }, true).RECEIPT_KEYS).toBe('/run/keys.json');
});

test('production refuses a key that can be guessed, and says how to make another', () => {
  const complete = { ...REQUIRED, ...ISSUER, RECEIPT_KEYS: '/run/keys.json' };
  for (const key of ['x', 'q8Zr2mVt5LxWc1Yh7PbKd4NsJf9Gu3E', 'abababababababababababababababababab']) {
    const reading = () => read({ ...complete, API_KEY: key }, true);
    expect(reading).toThrow(/API_KEY {2}is not valid \(.*production refuses; for a new one: node -p /);
    expect(reading).not.toThrow(key === 'x' ? 'never' : key);
    expect(read({ ...complete, API_KEY: key })).toMatchObject({ API_KEY: key });
  }
});

test('a key that cannot stand in a header is refused everywhere', () => {
  expect(() => read({ ...REQUIRED, API_KEY: 'my key' })).toThrow(/API_KEY {2}is not valid/);
});

test('everything that production lacks is named at once', () => {
  const reading = () => read({}, true);
  for (const name of ['DATABASE_URL', 'API_KEY', 'RECEIPT_KEYS', 'ISSUER_NAME', 'ISSUER_CONTACT'])
    expect(reading).toThrow(name);
});

test.each([
  ['DATABASE_URL', 'mysql://localhost/x'],
  ['WALLET_PORT', '65536'],
  ['WALLET_PORT', 'harbour'],
  ['DATABASE_CONNECTIONS', '0'],
  ['DATABASE_POOLER', 'session'],
  ['LOG_LEVEL', 'loud'],
  ['ISSUER_NAME', 'x'.repeat(61)],
  ['ISSUER_NAME', 'Mwananchi\nSacco'],
  ['ISSUER_CONTACT', '0700\u202E000'],
  ['PUBLIC_URL', 'pay.example'],
  ['PUBLIC_URL', 'ftp://pay.example'],
  ['PUBLIC_URL', 'https://user:secret@pay.example'],
  ['PUBLIC_URL', 'https://pay.example?x=1'],
  ['LOOKUP_RATE', '0'],
])('%s=%s is refused by name and not repeated', (name, value) => {
  const reading = () => read({ ...REQUIRED, [name]: value });
  expect(reading).toThrow(EnvironmentError);
  expect(reading).toThrow(`${name}  is not valid`);
  expect(reading).not.toThrow(value === '0' ? 'never' : value);
});
