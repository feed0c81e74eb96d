import { EnvironmentError, parseEnvironment } from '@repo/http';
import { expect, test } from 'vitest';
import { environmentSchema } from './env.ts';

const REQUIRED = {
  DATABASE_URL: 'postgresql://sms:secret@localhost:5432/daftari',
  API_KEY: 'a-key',
  SMS_CALLBACK_TOKEN: 'V1StGXR8Z5jdHi6BmyT0kL9w',
};
const PRODUCTION = { API_KEY: 'q8Zr2mVt5LxWc1Yh7PbKd4NsJf9Gu3Ea' };
const LIVE = { SMS_PROVIDER: 'africas-talking', AT_USERNAME: 'shop', AT_API_KEY: 'atsk_1' };

const read = (environment: Record<string, string>, isProduction = false) =>
  parseEnvironment('sms', environmentSchema({ isProduction }), environment);

test('three variables are enough for development, where nothing is really sent', () => {
  expect(read(REQUIRED)).toEqual({
    ...REQUIRED,
    DATABASE_CONNECTIONS: 10,
    DATABASE_POOLER: 'none',
    QUEUE_LIMIT: 2_000,
    DATABASE_READ_LAG_MS: 5_000,
    SMS_PORT: 4003,
    HOST: '127.0.0.1',
    LOG_LEVEL: 'info',
    SMS_PROVIDER: 'console',
    SMS_SENDER: 'on',
    SMS_CONCURRENCY: 64,
    SMS_TIMEOUT_SECONDS: 15,
    SMS_LEASE_SECONDS: 60,
    SMS_POLL_MS: 1_000,
    SMS_MAX_AGE_HOURS: 24,
    SMS_MAX_ATTEMPTS: 10,
    SMS_BUDGET_CURRENCY: 'KES',
  });
});

test('in production the provider must be named', () => {
  const strong = { ...REQUIRED, ...PRODUCTION };
  expect(() => read(strong, true)).toThrow(/SMS_PROVIDER {2}is not set/);
  expect(read({ ...strong, ...LIVE }, true)).toMatchObject(LIVE);
});

test('production refuses secrets that can be guessed', () => {
  const strong = { ...REQUIRED, ...PRODUCTION, ...LIVE };
  expect(() => read({ ...strong, API_KEY: 'x' }, true)).toThrow(
    /API_KEY {2}is not valid \(shorter than 32 characters/,
  );
  expect(() => read({ ...strong, SMS_CALLBACK_TOKEN: 'dev-token' }, true)).toThrow(
    /SMS_CALLBACK_TOKEN {2}is not valid \(shorter than 24 characters/,
  );
});

test("Africa's Talking needs its user name and key", () => {
  expect(() => read({ ...REQUIRED, SMS_PROVIDER: 'africas-talking' })).toThrow(/AT_USERNAME {2}is not set/);
  expect(() => read({ ...REQUIRED, ...LIVE, AT_API_KEY: '' })).toThrow(/AT_API_KEY {2}is not set/);
});

test('a lease that ends before the provider has to answer is refused', () => {
  const wrong = { ...REQUIRED, SMS_TIMEOUT_SECONDS: '30', SMS_LEASE_SECONDS: '30' };
  expect(() => read(wrong)).toThrow(
    /SMS_LEASE_SECONDS {2}is not valid \(not more than SMS_TIMEOUT_SECONDS\)/,
  );
});

test.each([
  ['DATABASE_URL', 'mysql://localhost/x'],
  ['SMS_CALLBACK_TOKEN', 'with/slash'],
  ['SMS_PORT', '65536'],
  ['SMS_PROVIDER', 'twilio'],
  ['SMS_SENDER', 'maybe'],
  ['SMS_CONCURRENCY', '0'],
  ['SMS_LEASE_SECONDS', '1'],
  ['SMS_DAILY_BUDGET', '5,000'],
  ['SMS_BUDGET_CURRENCY', 'shillings'],
  ['AT_BASE_URL', 'ftp://localhost'],
  ['AT_SENDER_ID', 'a name with spaces'],
])('%s=%s is refused by name', (name, value) => {
  const reading = () => read({ ...REQUIRED, [name]: value });
  expect(reading).toThrow(EnvironmentError);
  expect(reading).toThrow(`${name}  is not valid`);
});
