import { EnvironmentError } from '@repo/http';
import type { Environment } from '../../env.ts';
import type { Provider } from '../provider.ts';
import { createAfricasTalking } from './client.ts';

const LIVE_URL = 'https://api.africastalking.com';
const SANDBOX_URL = 'https://api.sandbox.africastalking.com';

/** Opens the account that the settings name. */
export function openAfricasTalking(environment: Environment): Provider {
  const { AT_USERNAME: username, AT_API_KEY: apiKey, AT_SENDER_ID: senderId } = environment;
  if (username === undefined || apiKey === undefined) {
    throw new EnvironmentError('AT_USERNAME and AT_API_KEY are needed for SMS_PROVIDER=africas-talking.');
  }
  return createAfricasTalking({
    baseUrl: environment.AT_BASE_URL ?? (username === 'sandbox' ? SANDBOX_URL : LIVE_URL),
    username,
    apiKey,
    ...(senderId === undefined ? {} : { senderId }),
    timeoutMs: environment.SMS_TIMEOUT_SECONDS * 1_000,
    // A request that waited for a connection would only use up its time.
    connections: environment.SMS_CONCURRENCY,
  });
}
