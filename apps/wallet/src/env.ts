import { loadEnvironment } from '@repo/http';
import { z } from 'zod';

function wholeNumber({ min, max }: { min: number; max: number }) {
  const message = `not a whole number from ${String(min)} to ${String(max)}`;
  return z.coerce.number(message).int(message).min(min, message).max(max, message);
}

/** An address that can stand in front of `/verify/...`: no query, no fragment, and no password for all to read. */
function isPublicUrl(text: string): boolean {
  const url = new URL(text);
  return url.username + url.password + url.search + url.hash === '';
}

/** The settings of the service, by the names of their variables; production is stricter. */
export function environmentSchema({ isProduction }: { readonly isProduction: boolean }) {
  return z.object({
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
      .describe('the first key, with every scope; send it as a bearer token to make further keys'),
    WALLET_PORT: wholeNumber({ min: 0, max: 65_535 })
      .default(4001)
      .describe('the port to listen on, 4001 when absent; 0 takes a free one'),
    HOST: z
      .string()
      .default('127.0.0.1')
      .describe('the address to listen on, 127.0.0.1 when absent; 0.0.0.0 for all'),
    LOG_LEVEL: z
      .enum(['fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent'], 'not a level')
      .default('info')
      .describe('fatal, error, warn, info, debug, trace or silent'),
    PUBLIC_URL: z
      .url({ protocol: /^https?$/, message: 'not an http:// or https:// address', abort: true })
      .refine(isPublicUrl, 'not an address without password, query and fragment')
      .optional()
      .describe('where the public reaches this service, for the links on receipts; this machine when absent'),
    RECEIPT_KEYS: (isProduction ? z.string() : z.string().optional()).describe(
      'the keys that sign receipts: a JSON Web Key Set, or the path of a file that holds one',
    ),
    LOOKUP_RATE: wholeNumber({ min: 1, max: 1_000_000 })
      .default(600)
      .describe('how many wallet look-ups each API key may make in a minute, 600 when absent'),
  });
}

export type Environment = z.output<ReturnType<typeof environmentSchema>>;

/** Reads the settings, or ends the process with one message that names every variable to set. */
export function readEnvironment(): Environment & { readonly isProduction: boolean } {
  const isProduction = process.env['NODE_ENV'] === 'production';
  return { ...loadEnvironment('wallet', environmentSchema({ isProduction })), isProduction };
}
