import { DatabaseUrlError, parseDatabaseUrl } from '@repo/database-url';
import { z } from 'zod';
import { isNetwork } from './callers/networks.ts';

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

/** Whether secrets that are good enough for a developer's machine are refused. */
interface Strictness {
  readonly isProduction: boolean;
}

/** A command that prints a secret which every setting here takes. */
const NEW_SECRET = `node -p 'crypto.randomBytes(32).toString("hex")'`;

/** A long text of few different characters is as easy to guess as a short one. */
const LEAST_CHARACTERS = 10;

/** The key with every scope, with what it is for. Production refuses one that could be guessed. */
export function apiKeySetting(purpose: string, { isProduction }: Strictness) {
  const key = z.string().regex(/^[\x21-\x7e]+$/, 'only visible ASCII characters may stand in a bearer token');
  return (isProduction ? unguessable(key, 32) : key).describe(purpose);
}

/** A text that stands in the URL of a callback and keeps strangers out. Production refuses one that could be guessed. */
export function callbackTokenSetting({ isProduction }: Strictness) {
  const token = z.string().regex(/^[A-Za-z0-9._~-]+$/, 'only letters, digits and . _ ~ - may stand in a URL');
  return (isProduction ? unguessable(token, 24) : token).describe(
    'an unguessable text of 24 or more letters and digits; it is a part of the callback URLs',
  );
}

function unguessable(text: z.ZodString, least: number) {
  const refusal = (what: string) => `${what}, which production refuses; for a new one: ${NEW_SECRET}`;
  return text
    .min(least, { error: refusal(`shorter than ${String(least)} characters`), abort: true })
    .refine(
      (value) => new Set(value).size >= LEAST_CHARACTERS,
      refusal(`fewer than ${String(LEAST_CHARACTERS)} different characters`),
    );
}

/** Why a connection string cannot be used, in words that repeat nothing of it. */
function databaseUrlFault(url: string): string | undefined {
  try {
    parseDatabaseUrl(url);
    return undefined;
  } catch (error) {
    if (error instanceof DatabaseUrlError) return error.message;
    throw error;
  }
}

/** A variable that holds a connection string. */
function databaseUrl() {
  return z.string().superRefine((url, context) => {
    const fault = databaseUrlFault(url);
    if (fault !== undefined) context.addIssue({ code: 'custom', message: fault });
  });
}

/** A variable that holds several items, separated by commas. */
export function listSetting(isItem: (text: string) => boolean, message: string) {
  return z
    .string()
    .transform((text) =>
      text
        .split(',')
        .map((item) => item.trim())
        .filter((item) => item !== ''),
    )
    .refine((items) => items.every(isItem), message);
}

/** Names of networks that `TRUST_PROXY` takes beside addresses. */
const NAMED_NETWORKS = ['loopback', 'linklocal', 'uniquelocal'];

/** The variable `TRUST_PROXY`, of services to which it matters where a request comes from. */
export function trustProxySetting() {
  const isItem = (item: string) => isNetwork(item) || NAMED_NETWORKS.includes(item);
  return listSetting(isItem, 'not a list of addresses or networks')
    .default([])
    .describe(
      'addresses or networks of the proxies whose X-Forwarded-For is believed, or loopback, uniquelocal',
    );
}

/** The variables that every service has, by their names. */
export const SERVICE_SETTINGS = {
  DATABASE_URL: databaseUrl().describe(
    'the address of the database, postgresql://user:password@host:5432/name',
  ),
  DATABASE_CONNECTIONS: wholeNumber({ min: 1, max: 1_000 })
    .default(10)
    .describe('the most connections to the database. Default: 10'),
  DATABASE_POOLER: z
    .enum(['none', 'transaction'], 'neither none nor transaction')
    .default('none')
    .describe('transaction when DATABASE_URL leads to a pooler in transaction mode (PgBouncer), else none'),
  QUEUE_LIMIT: wholeNumber({ min: 1, max: 20_000 })
    .default(2_000)
    .describe('requests under way at a time, callbacks and others each; more callbacks wait, others get 503'),
  DATABASE_READ_URL: databaseUrl()
    .optional()
    .describe('a standby for lists, statements and reports; the primary answers them when absent'),
  DATABASE_READ_LAG_MS: wholeNumber({ min: 10, max: 3_600_000 })
    .default(5_000)
    .describe('how old a report from DATABASE_READ_URL may be, in milliseconds. Default: 5000'),
  HOST: z
    .string()
    .default('127.0.0.1')
    .describe('the address to listen on, 127.0.0.1 when absent; 0.0.0.0 for all'),
  LOG_LEVEL: z
    .enum(['fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent'], 'not a level')
    .default('info')
    .describe('fatal, error, warn, info, debug, trace or silent'),
};

/** The variable `DATABASE_LANES`, of services whose intakes have lanes. Absent: as many as the intake takes by itself. */
export function lanesSetting() {
  return wholeNumber({ min: 1, max: 16 })
    .optional()
    .describe('batches written at the same time, 1 to 16. Default: the cores of this machine, at most 8');
}

/** Where the database is and how to reach it, in the words of `createDb`. */
export function databaseOptions(environment: {
  readonly DATABASE_URL: string;
  readonly DATABASE_CONNECTIONS: number;
  readonly DATABASE_POOLER: 'none' | 'transaction';
  readonly QUEUE_LIMIT: number;
}) {
  return {
    url: environment.DATABASE_URL,
    maxConnections: environment.DATABASE_CONNECTIONS,
    maxWaiting: environment.QUEUE_LIMIT,
    pooler: environment.DATABASE_POOLER === 'transaction',
  };
}

/** Where lists and reports may be read, in the words of `createReads`; undefined when the primary answers them. */
export function replicaOptions(environment: {
  readonly DATABASE_READ_URL?: string | undefined;
  readonly DATABASE_READ_LAG_MS: number;
  readonly DATABASE_CONNECTIONS: number;
  readonly DATABASE_POOLER: 'none' | 'transaction';
}) {
  const { DATABASE_READ_URL: url, DATABASE_READ_LAG_MS: maxLagMs } = environment;
  if (url === undefined) return undefined;
  const pooler = environment.DATABASE_POOLER === 'transaction';
  return { url, maxLagMs, maxConnections: environment.DATABASE_CONNECTIONS, pooler };
}
