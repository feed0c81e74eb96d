import { EnvironmentError } from '@repo/http';
import type { Environment } from '../env.ts';
import { createAfricasTalking } from './africas-talking/client.ts';
import { createConsoleProvider } from './console.ts';
import type { Provider } from './provider.ts';

type ProviderEnvironment = Pick<
  Environment,
  | 'SMS_PROVIDER'
  | 'SMS_CONCURRENCY'
  | 'SMS_TIMEOUT_SECONDS'
  | 'AT_USERNAME'
  | 'AT_API_KEY'
  | 'AT_SENDER_ID'
  | 'AT_BASE_URL'
>;

const liveUrl = 'https://api.africastalking.com';
const sandboxUrl = 'https://api.sandbox.africastalking.com';

/** Opens the provider that the environment names. `write` takes the lines of the console provider. */
export function chooseProvider(environment: ProviderEnvironment, write: (line: string) => void): Provider {
  if (environment.SMS_PROVIDER === 'console') return createConsoleProvider({ write });
  const { AT_USERNAME: username, AT_API_KEY: apiKey, AT_SENDER_ID: senderId } = environment;
  if (username === undefined || apiKey === undefined) {
    throw new EnvironmentError('AT_USERNAME and AT_API_KEY are needed for SMS_PROVIDER=africas-talking.');
  }
  return createAfricasTalking({
    baseUrl: environment.AT_BASE_URL ?? (username === 'sandbox' ? sandboxUrl : liveUrl),
    username,
    apiKey,
    ...(senderId === undefined ? {} : { senderId }),
    timeoutMs: environment.SMS_TIMEOUT_SECONDS * 1_000,
    // A request that waited for a connection would only use up its time.
    connections: environment.SMS_CONCURRENCY,
  });
}
