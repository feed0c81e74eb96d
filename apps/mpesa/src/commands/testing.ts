import { join } from 'node:path';
import { darajaSettings } from '@repo/simulator';
import type { DarajaSimulator } from '@repo/simulator';
import { runInThread } from '@repo/testing/threads';
import type { Ran } from '@repo/testing/threads';
import { TEST_KEY, TEST_TOKEN } from '../testing.ts';

type Environment = Readonly<Record<string, string>>;

/** What no command may tell: keys of the service, and of the simulator's account at M-PESA. */
export const SECRETS = [
  TEST_TOKEN,
  TEST_KEY,
  'simulated-key',
  'simulated-secret',
  'simulated-passkey',
  'simulated-credential',
];

/** What a command for the account of a simulator needs. */
export function commandEnvironment(
  daraja: Pick<DarajaSimulator, 'url'>,
  { databaseUrl, callbackUrl }: { readonly databaseUrl: string; readonly callbackUrl: string },
): Environment {
  return {
    ...darajaSettings({ url: daraja.url, callbackUrl }),
    DATABASE_URL: databaseUrl,
    API_KEY: TEST_KEY,
    MPESA_CALLBACK_TOKEN: TEST_TOKEN,
  };
}

/** Runs a command of this folder to its end, with nothing else in its environment. */
export function runCommand(name: string, args: readonly string[], environment: Environment): Promise<Ran> {
  return runInThread(join(import.meta.dirname, `${name}.ts`), args, environment);
}
