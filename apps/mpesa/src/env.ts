import {
  apiKeySetting,
  callbackTokenSetting,
  isProduction,
  loadEnvironment,
  portSetting,
  serviceSettings,
} from '@repo/http';
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

/** The settings of the service, by the names of their variables; production is stricter. */
export function environmentSchema(strictness: { readonly isProduction: boolean }) {
  return z.object({
    ...serviceSettings,
    API_KEY: apiKeySetting(
      'the first key, with every scope; the wallet service makes further ones',
      strictness,
    ),
    MPESA_CALLBACK_TOKEN: callbackTokenSetting(strictness),
    MPESA_PORT: portSetting(4002),
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
}

export type Environment = z.output<ReturnType<typeof environmentSchema>>;

/** Reads the settings, or ends the process with one message that names every variable to set. */
export function readEnvironment(): Environment {
  return loadEnvironment('mpesa', environmentSchema({ isProduction: isProduction() }));
}
