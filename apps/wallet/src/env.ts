import {
  apiKeySetting,
  isProduction,
  lanesSetting,
  loadEnvironment,
  portSetting,
  SERVICE_SETTINGS,
  trustProxySetting,
  wholeNumber,
} from '@repo/http';
import { z } from 'zod';

/** An address that can stand in front of `/verify/...`: no query, no fragment, and no password for all to read. */
function isPublicUrl(text: string): boolean {
  const url = new URL(text);
  return url.username + url.password + url.search + url.hash === '';
}

/** A line of text that can be put on paper. */
function printable(longest: number) {
  return z
    .string()
    .trim()
    .min(1)
    .max(longest, `longer than ${String(longest)} characters`)
    .regex(/^[^\p{C}\p{Zl}\p{Zp}]*$/u, 'not one line of visible characters');
}

function required<Schema extends z.ZodType>({ isProduction: isNeeded }: Strictness, schema: Schema) {
  return isNeeded ? schema : schema.optional();
}

interface Strictness {
  readonly isProduction: boolean;
}

/** The settings of the service, by the names of their variables; production is stricter. */
export function environmentSchema(strictness: Strictness) {
  return z.object({
    ...SERVICE_SETTINGS,
    API_KEY: apiKeySetting(
      'the first key, with every scope; send it as a bearer token to make further keys',
      strictness,
    ),
    DATABASE_LANES: lanesSetting(),
    WALLET_PORT: portSetting(4001),
    PUBLIC_URL: z
      .url({ protocol: /^https?$/, message: 'not an http:// or https:// address', abort: true })
      .refine(isPublicUrl, 'not an address without password, query and fragment')
      .optional()
      .describe('where the public reaches this service, for the links on receipts; this machine when absent'),
    RECEIPT_KEYS: (strictness.isProduction ? z.string() : z.string().optional()).describe(
      'the keys that sign receipts: a JSON Web Key Set, or the path of a file that holds one',
    ),
    ISSUER_NAME: required(strictness, printable(60)).describe(
      'whose receipts these are, as customers know it; stands on receipts and on the page that checks them',
    ),
    ISSUER_CONTACT: required(strictness, printable(100)).describe(
      'whom customers ask about a receipt: a telephone number or an address',
    ),
    LOOKUP_RATE: wholeNumber({ min: 1, max: 1_000_000 })
      .default(600)
      .describe('how many wallet look-ups each API key may make in a minute. Default: 600'),
    VERIFY_RATE: wholeNumber({ min: 1, max: 1_000_000 })
      .default(120)
      .describe('how many receipts may be checked from one address in a minute. Default: 120'),
    TRUST_PROXY: trustProxySetting(),
  });
}

export type Environment = z.output<ReturnType<typeof environmentSchema>>;

/** Reads the settings, or ends the process with one message that names every variable to set. */
export function readEnvironment(): Environment & { readonly isProduction: boolean } {
  const strictness = { isProduction: isProduction() };
  return { ...loadEnvironment('wallet', environmentSchema(strictness)), ...strictness };
}
