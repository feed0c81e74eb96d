import type { Environment } from '../env.ts';
import { openAfricasTalking } from './africas-talking/open.ts';
import { AFRICAS_TALKING_CALLBACKS } from './africas-talking/reports.ts';
import { createConsoleProvider } from './console.ts';
import type { CallbackReader, Provider } from './provider.ts';

/** A provider in both directions: what sends through it, and what reads its callbacks. */
interface Choice {
  /** `write` takes the lines of the console provider. */
  readonly open: (environment: Environment, write: (line: string) => void) => Provider;
  readonly callbacks: CallbackReader;
}

/** One line a provider. */
const CHOICES: Readonly<Record<Environment['SMS_PROVIDER'], Choice>> = {
  'africas-talking': { open: openAfricasTalking, callbacks: AFRICAS_TALKING_CALLBACKS },
  // Nobody reports on what the console wrote. Reports that come all the same are about messages sent before.
  console: { open: (_, write) => createConsoleProvider({ write }), callbacks: AFRICAS_TALKING_CALLBACKS },
};

/** Opens the provider that the environment names. `write` takes the lines of the console provider. */
export function chooseProvider(environment: Environment, write: (line: string) => void): Provider {
  return CHOICES[environment.SMS_PROVIDER].open(environment, write);
}

/** Who reads the callbacks of the provider that the environment names. */
export function chooseCallbacks({ SMS_PROVIDER }: Pick<Environment, 'SMS_PROVIDER'>): CallbackReader {
  return CHOICES[SMS_PROVIDER].callbacks;
}
