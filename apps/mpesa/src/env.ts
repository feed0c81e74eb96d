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
} from '@repo/http';
import { z } from 'zod';
import { OFFICIAL_SOURCES } from './networks.ts';

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
  });
}

export type Environment = z.output<ReturnType<typeof environmentSchema>>;

/** Reads the settings, or ends the process with one message that names every variable to set. */
export function readEnvironment(): Environment {
  return loadEnvironment('mpesa', environmentSchema({ isProduction: isProduction() }));
}
