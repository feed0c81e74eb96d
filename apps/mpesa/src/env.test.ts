import { EnvironmentError, parseEnvironment } from '@repo/http';
import { expect, test } from 'vitest';
import { readSettings } from './daraja/env-settings.ts';
import { environmentSchema } from './env.ts';
import { OFFICIAL_SOURCES } from './networks.ts';

const REQUIRED = {
  DATABASE_URL: 'postgresql://mpesa:secret@localhost:5432/daftari',
  API_KEY: 'a-key',
  MPESA_CALLBACK_TOKEN: 'V1StGXR8Z5jdHi6BmyT0kL9w',
};

const read = (environment: Record<string, string>, isProduction = false) =>
  parseEnvironment('mpesa', environmentSchema({ isProduction }), environment);

test('three variables are enough, and the rest has safe defaults', () => {
  expect(read(REQUIRED)).toEqual({
    ...REQUIRED,
    DATABASE_CONNECTIONS: 10,
    DATABASE_POOLER: 'none',
    QUEUE_LIMIT: 2_000,
    DATABASE_READ_LAG_MS: 5_000,
    MPESA_PORT: 4002,
    HOST: '127.0.0.1',
    LOG_LEVEL: 'info',
    MPESA_VALIDATION: 'accept',
    MPESA_MAX_AMOUNT: '10000000.00',
    MPESA_SOURCE_CHECK: 'log',
    MPESA_SOURCE_ALLOWLIST: [...OFFICIAL_SOURCES],
    TRUST_PROXY: [],
    DARAJA_BASE_URL: 'https://api.safaricom.co.ke',
  });
});

const ACCOUNT = {
  DARAJA_CONSUMER_KEY: 'a-key',
  DARAJA_CONSUMER_SECRET: 'a-secret',
  DARAJA_SHORT_CODE: '600100',
  DARAJA_PASSKEY: 'a-passkey',
};

test('an account at Daraja is whole or missing', () => {
  const account = (more: Record<string, string>, isProd = false) =>
    readSettings(read({ ...REQUIRED, ...more }), { isProduction: isProd });
  expect(account({})).toBeNull();
  expect(account(ACCOUNT)).toMatchObject({ shortCode: '600100', till: null, initiator: null });
  expect(() => account({ DARAJA_SHORT_CODE: '600100' })).toThrow(
    /DARAJA_CONSUMER_KEY, DARAJA_CONSUMER_SECRET, DARAJA_PASSKEY/,
  );
  expect(() => account({ ...ACCOUNT, DARAJA_INITIATOR: 'a' })).toThrow(/DARAJA_SECURITY_CREDENTIAL/);
  expect(() => account(ACCOUNT, true)).toThrow(/DARAJA_CALLBACK_URL/);
  const url = { DARAJA_CALLBACK_URL: 'https://pay.example.co.ke/' };
  expect(account({ ...ACCOUNT, ...url }, true)).not.toBeNull();
  expect(read({ ...REQUIRED, ...url }).DARAJA_CALLBACK_URL).toBe('https://pay.example.co.ke');
});

test('the callback token has no default', () => {
  expect(() => read({ ...REQUIRED, MPESA_CALLBACK_TOKEN: '' })).toThrow(
    /MPESA_CALLBACK_TOKEN {2}is not set: an unguessable text/,
  );
});

test('production refuses secrets that can be guessed', () => {
  const strong = { ...REQUIRED, API_KEY: 'q8Zr2mVt5LxWc1Yh7PbKd4NsJf9Gu3Ea' };
  expect(read(strong, true)).toMatchObject(strong);
  expect(() => read(REQUIRED, true)).toThrow(/API_KEY {2}is not valid \(shorter than 32 characters/);
  expect(() => read({ ...strong, MPESA_CALLBACK_TOKEN: 'V1StGXR8Z5jdHi6BmyT0kL9' }, true)).toThrow(
    /MPESA_CALLBACK_TOKEN {2}is not valid \(shorter than 24 characters/,
  );
});

test('lists are split at commas', () => {
  const environment = read({
    ...REQUIRED,
    MPESA_SOURCE_ALLOWLIST: '10.0.0.1, 10.1.0.0/16,',
    TRUST_PROXY: 'loopback,10.9.0.1',
  });
  expect(environment.MPESA_SOURCE_ALLOWLIST).toEqual(['10.0.0.1', '10.1.0.0/16']);
  expect(environment.TRUST_PROXY).toEqual(['loopback', '10.9.0.1']);
});

test.each([
  ['DATABASE_URL', 'mysql://localhost/x'],
  ['MPESA_CALLBACK_TOKEN', 'with/slash'],
  ['MPESA_PORT', '65536'],
  ['MPESA_PORT', 'port'],
  ['DATABASE_CONNECTIONS', '0'],
  ['DATABASE_LANES', '0'],
  ['DATABASE_LANES', '17'],
  ['DATABASE_POOLER', 'session'],
  ['LOG_LEVEL', 'loud'],
  ['MPESA_VALIDATION', 'maybe'],
  ['MPESA_SOURCE_CHECK', 'on'],
  ['MPESA_SOURCE_ALLOWLIST', '10.0.0.1,somewhere'],
  ['TRUST_PROXY', 'true'],
  ['DARAJA_BASE_URL', 'daraja'],
  ['DARAJA_SHORT_CODE', '12'],
  ['DARAJA_CALLBACK_URL', 'https://pay.example.co.ke/?x=1'],
])('%s=%s is refused by name', (name, value) => {
  const reading = () => read({ ...REQUIRED, [name]: value });
  expect(reading).toThrow(EnvironmentError);
  expect(reading).toThrow(`${name}  is not valid`);
});
