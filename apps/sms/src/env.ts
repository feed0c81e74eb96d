import {
  apiKeySetting,
  callbackTokenSetting,
  isProduction,
  loadEnvironment,
  portSetting,
  SERVICE_SETTINGS,
  wholeNumber,
} from '@repo/http';
import { z } from 'zod';

interface Strictness {
  readonly isProduction: boolean;
}

const common = (strictness: Strictness) => ({
  ...SERVICE_SETTINGS,
  API_KEY: apiKeySetting(
    'the first key, with every scope; the wallet service makes further ones',
    strictness,
  ),
  SMS_CALLBACK_TOKEN: callbackTokenSetting(strictness),
  SMS_PORT: portSetting(4003),
});

const SENDING = {
  SMS_SENDER: z
    .enum(['on', 'off'], 'neither on nor off')
    .default('on')
    .describe('off for a process that only answers requests and callbacks, on when absent'),
  SMS_CONCURRENCY: wholeNumber({ min: 1, max: 5_000 })
    .default(64)
    .describe('requests to the provider at once. Default: 64'),
  SMS_TIMEOUT_SECONDS: wholeNumber({ min: 1, max: 300 })
    .default(15)
    .describe('how long the provider may take for one request. Default: 15'),
  SMS_LEASE_SECONDS: wholeNumber({ min: 2, max: 3_600 })
    .default(60)
    .describe(
      'how long an attempt may take until its outcome counts as unknown, 60 when absent; more than SMS_TIMEOUT_SECONDS',
    ),
  SMS_POLL_MS: wholeNumber({ min: 10, max: 60_000 })
    .default(1_000)
    .describe('how often to look for messages without being woken, in milliseconds. Default: 1000'),
  SMS_MAX_AGE_HOURS: wholeNumber({ min: 1, max: 8_760 })
    .default(24)
    .describe('older news is not sent. Default: 24'),
  SMS_MAX_ATTEMPTS: wholeNumber({ min: 1, max: 1_000 })
    .default(10)
    .describe('after so many attempts a message that keeps being turned away fails. Default: 10'),
  SMS_DAILY_BUDGET: z
    .string()
    .regex(/^\d{1,15}(\.\d{1,4})?$/, 'not a sum such as 5000 or 5000.00')
    .optional()
    .describe(
      'when so much is spent in a day (East Africa Time) unimportant messages wait; no limit when absent',
    ),
  SMS_BUDGET_CURRENCY: z
    .string()
    .regex(/^[A-Z]{3}$/, 'not a code of three letters such as KES')
    .default('KES')
    .describe('the currency of SMS_DAILY_BUDGET, KES when absent'),
};

const PROVIDER = {
  AT_USERNAME: z.string().optional().describe("the user name at Africa's Talking; sandbox for its sandbox"),
  AT_API_KEY: z.string().optional().describe("the API key of Africa's Talking"),
  AT_SENDER_ID: z
    .string()
    .regex(/^[\x21-\x7e]{1,20}$/, 'not 1 to 20 visible characters')
    .optional()
    .describe("the name or short code that customers see; Africa's Talking's own when absent"),
  AT_BASE_URL: z
    .url({ protocol: /^https?$/, message: 'not an http:// or https:// address' })
    .optional()
    .describe("where Africa's Talking answers; its live or sandbox address when absent, by the user name"),
};

/** The providers, each with the settings that it needs. */
const PROVIDERS = {
  'africas-talking': ['AT_USERNAME', 'AT_API_KEY'],
  console: [],
} as const satisfies Record<string, readonly (keyof typeof PROVIDER)[]>;

const providerNames = Object.keys(PROVIDERS) as (keyof typeof PROVIDERS)[];
const providers = z.enum(providerNames, `not one of ${providerNames.join(', ')}`);

/** The settings of the service, by the names of their variables; production is stricter. */
export function environmentSchema(strictness: Strictness) {
  const description = 'africas-talking, or console, which sends nothing and writes a line for each message';
  return z
    .object({
      ...common(strictness),
      // No default in production: a service there pretends to send only if it is configured to.
      SMS_PROVIDER: (strictness.isProduction ? providers : providers.default('console')).describe(
        description,
      ),
      ...PROVIDER,
      ...SENDING,
    })
    .superRefine((settings, context) => {
      const refuse = (name: keyof typeof settings, message: string) =>
        context.addIssue({ code: 'custom', path: [name], message });
      for (const name of PROVIDERS[settings.SMS_PROVIDER]) {
        if (settings[name] === undefined) refuse(name, 'is needed');
      }
      if (settings.SMS_LEASE_SECONDS <= settings.SMS_TIMEOUT_SECONDS) {
        refuse('SMS_LEASE_SECONDS', 'not more than SMS_TIMEOUT_SECONDS');
      }
    });
}

export type Environment = z.output<ReturnType<typeof environmentSchema>>;

/** Reads the settings, or ends the process with one message that names every variable to set. */
export function readEnvironment(): Environment & { readonly isProduction: boolean } {
  const strictness = { isProduction: isProduction() };
  return { ...loadEnvironment('sms', environmentSchema(strictness)), ...strictness };
}
