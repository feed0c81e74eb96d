import { z } from 'zod';

/** A variable that holds a whole number. */
export function wholeNumber({ min, max }: { readonly min: number; readonly max: number }) {
  const message = `not a whole number from ${String(min)} to ${String(max)}`;
  return z.coerce.number(message).int(message).min(min, message).max(max, message);
}

/** The port of a service, with its usual one. */
export function portSetting(usual: number) {
  return wholeNumber({ min: 0, max: 65_535 })
    .default(usual)
    .describe(`the port to listen on, ${String(usual)} when absent; 0 takes a free one`);
}

/** A text that stands in the URL of a callback and keeps strangers out. */
export function callbackTokenSetting() {
  return z
    .string()
    .regex(/^[A-Za-z0-9._~-]+$/, 'only letters, digits and . _ ~ - may stand in a URL')
    .describe('an unguessable text of 24 or more letters and digits; it is a part of the callback URLs');
}

/** The variables that every service has, by their names. */
export const serviceSettings = {
  DATABASE_URL: z
    .url({ protocol: /^postgres(ql)?$/, message: 'not a postgresql:// address' })
    .describe('the address of the database, postgresql://user:password@host:5432/name'),
  DATABASE_CONNECTIONS: wholeNumber({ min: 1, max: 1_000 })
    .default(10)
    .describe('the most connections to the database, 10 when absent'),
  DATABASE_POOLER: z
    .enum(['none', 'transaction'], 'neither none nor transaction')
    .default('none')
    .describe('transaction when DATABASE_URL leads to a pooler in transaction mode (PgBouncer), else none'),
  HOST: z
    .string()
    .default('127.0.0.1')
    .describe('the address to listen on, 127.0.0.1 when absent; 0.0.0.0 for all'),
  LOG_LEVEL: z
    .enum(['fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent'], 'not a level')
    .default('info')
    .describe('fatal, error, warn, info, debug, trace or silent'),
};
