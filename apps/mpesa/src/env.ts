import {
  apiKeySetting,
  callbackTokenSetting,
  isNetwork,
  isProduction,
  lanesSetting,
  listSetting,
  loadEnvironment,
  portSetting,
  SERVICE_SETTINGS,
  trustProxySetting,
  wholeNumber,
} from '@repo/http';
import { z } from 'zod';
import { OFFICIAL_SOURCES } from './networks.ts';

const visible = z.string().regex(/^[\x21-\x7e]+$/, 'has characters that are not visible ASCII');

const shortCode = z.string().regex(/^\d{5,7}$/, 'not 5 to 7 digits');

/** An address of HTTP(S) without a query; slashes at its end are dropped. */
function httpAddress() {
  return z
    .string()
    .refine((text) => /^https?:\/\/[^?#\s]+$/.test(text) && URL.canParse(text), 'not an http(s) address')
    .transform((text) => text.replace(/\/+$/, ''));
}

/** The settings of the service, by the names of their variables; production is stricter. */
export function environmentSchema(strictness: { readonly isProduction: boolean }) {
  return z.object({
    ...SERVICE_SETTINGS,
    API_KEY: apiKeySetting(
      'the first key, with every scope; the wallet service makes further ones',
      strictness,
    ),
    MPESA_CALLBACK_TOKEN: callbackTokenSetting(strictness),
    DATABASE_LANES: lanesSetting(),
    MPESA_PORT: portSetting(4002),
    MPESA_VALIDATION: z
      .enum(['accept', 'strict'], 'neither accept nor strict')
      .default('accept')
      .describe('accept (all payments) or strict (refuse those whose account or amount cannot be used)'),
    MPESA_MAX_AMOUNT: z
      .string()
      .regex(/^(?!0+(\.0+)?$)\d{1,12}(\.\d{1,2})?$/, 'not an amount of KES such as 10000000.00')
      .default('10000000.00')
      .describe(
        'payments above it are kept and not posted until a person releases them; default: 10000000.00',
      ),
    MPESA_SOURCE_CHECK: z
      .enum(['off', 'log', 'enforce'], 'neither off nor log nor enforce')
      .default('log')
      .describe('off, log (report callbacks from unlisted addresses) or enforce (refuse them)'),
    MPESA_SOURCE_ALLOWLIST: listSetting(isNetwork, 'not a list of addresses or networks')
      .default([...OFFICIAL_SOURCES])
      .describe('addresses or networks that M-PESA calls from, separated by commas'),
    TRUST_PROXY: trustProxySetting(),
    DARAJA_BASE_URL: httpAddress()
      .default('https://api.safaricom.co.ke')
      .describe(
        "where Daraja is: https://api.safaricom.co.ke, or the sandbox's https://sandbox.safaricom.co.ke",
      ),
    DARAJA_CONSUMER_KEY: visible.optional().describe('the consumer key of the app at Daraja'),
    DARAJA_CONSUMER_SECRET: visible.optional().describe('the consumer secret of the app at Daraja'),
    DARAJA_SHORT_CODE: shortCode
      .optional()
      .describe('the paybill that phones are asked to pay; for a till the number of its store'),
    DARAJA_TILL: shortCode.optional().describe('the till that phones are asked to pay; none for a paybill'),
    DARAJA_PASSKEY: visible.optional().describe('the passkey of the short code'),
    DARAJA_CALLBACK_URL: httpAddress()
      .optional()
      .describe('where M-PESA reaches this service: https://pay.example.co.ke; needed in production'),
    DARAJA_INITIATOR: visible
      .optional()
      .describe('the name of the API operator that may ask about receipts; without it none is asked about'),
    DARAJA_SECURITY_CREDENTIAL: visible
      .optional()
      .describe("its password, encrypted with Safaricom's certificate as the portal shows"),
    DARAJA_PULL_MINUTES: wholeNumber({ min: 5, max: 1_440 })
      .optional()
      .describe('how often missed payments are pulled and recorded; never when absent'),
    WEBHOOK_KEY: z
      .string()
      .regex(/^[\x21-\x7e]{32,}$/, 'not 32 or more characters of visible ASCII')
      .optional()
      .describe(
        'seals the secrets of webhooks in the database, 32 or more characters, the same for all processes; no webhooks when absent',
      ),
  });
}

export type Environment = z.output<ReturnType<typeof environmentSchema>>;

/** Reads the settings, or ends the process with one message that names every variable to set. */
export function readEnvironment(): Environment {
  return loadEnvironment('mpesa', environmentSchema({ isProduction: isProduction() }));
}
