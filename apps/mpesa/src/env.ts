import { loadEnvironment } from '@repo/http';
import { z } from 'zod';
import { isNetwork, officialSources } from './networks.ts';

/** Names of networks that `TRUST_PROXY` takes beside addresses. */
const namedNetworks = ['loopback', 'linklocal', 'uniquelocal'];

function listOf(isItem: (text: string) => boolean, message: string) {
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

function wholeNumber({ min, max }: { min: number; max: number }) {
  const message = `not a whole number from ${String(min)} to ${String(max)}`;
  return z.coerce.number(message).int(message).min(min, message).max(max, message);
}

/** The settings of the service, by the names of their variables. */
export const environmentSchema = z.object({
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
  API_KEY: z
    .string()
    .describe('the key that callers of GET /deposits and GET /metrics send as a bearer token'),
  MPESA_CALLBACK_TOKEN: z
    .string()
    .regex(/^[A-Za-z0-9._~-]+$/, 'only letters, digits and . _ ~ - may stand in a URL')
    .describe('an unguessable text of 24 or more letters and digits; it is a part of the callback URLs'),
  MPESA_PORT: wholeNumber({ min: 0, max: 65_535 })
    .default(4002)
    .describe('the port to listen on, 4002 when absent; 0 takes a free one'),
  HOST: z
    .string()
    .default('127.0.0.1')
    .describe('the address to listen on, 127.0.0.1 when absent; 0.0.0.0 for all'),
  LOG_LEVEL: z
    .enum(['fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent'], 'not a level')
    .default('info')
    .describe('fatal, error, warn, info, debug, trace or silent'),
  MPESA_VALIDATION: z
    .enum(['accept', 'strict'], 'neither accept nor strict')
    .default('accept')
    .describe('accept (all payments) or strict (refuse those whose account or amount cannot be used)'),
  MPESA_SOURCE_CHECK: z
    .enum(['off', 'log', 'enforce'], 'neither off nor log nor enforce')
    .default('log')
    .describe('off, log (report callbacks from unlisted addresses) or enforce (refuse them)'),
  MPESA_SOURCE_ALLOWLIST: listOf(isNetwork, 'not a list of addresses or networks')
    .default([...officialSources])
    .describe('addresses or networks that M-PESA calls from, separated by commas'),
  TRUST_PROXY: listOf(
    (item) => isNetwork(item) || namedNetworks.includes(item),
    'not a list of addresses or networks',
  )
    .default([])
    .describe(
      'addresses or networks of the proxies whose X-Forwarded-For is believed, or loopback, uniquelocal',
    ),
});

export type Environment = z.output<typeof environmentSchema>;

/** Reads the settings, or ends the process with one message that names every variable to set. */
export function readEnvironment(): Environment {
  return loadEnvironment('mpesa', environmentSchema);
}
