import { EnvironmentError, exitOnWrongSettings } from '@repo/http';
import type { Environment } from '../env.ts';
import type { DarajaSettings } from './settings.ts';

const NEEDED = [
  'DARAJA_CONSUMER_KEY',
  'DARAJA_CONSUMER_SECRET',
  'DARAJA_SHORT_CODE',
  'DARAJA_PASSKEY',
] as const;

/**
 * The account at Daraja that the settings name; null where none is. Half an account is a mistake: the process ends with one
 * message that names every variable to set.
 */
export function darajaSettings(
  environment: Environment,
  strictness: { readonly isProduction: boolean },
): DarajaSettings | null {
  try {
    return readSettings(environment, strictness);
  } catch (error) {
    return exitOnWrongSettings(error);
  }
}

/** @throws EnvironmentError for half an account */
export function readSettings(
  environment: Environment,
  { isProduction }: { readonly isProduction: boolean },
): DarajaSettings | null {
  const consumerKey = environment.DARAJA_CONSUMER_KEY;
  const consumerSecret = environment.DARAJA_CONSUMER_SECRET;
  const shortCode = environment.DARAJA_SHORT_CODE;
  const passkey = environment.DARAJA_PASSKEY;
  const missing = NEEDED.filter((name) => environment[name] === undefined);
  if (missing.length === NEEDED.length) return null;
  if (isProduction && environment.DARAJA_CALLBACK_URL === undefined) {
    throw incomplete([...missing, 'DARAJA_CALLBACK_URL']);
  }
  if (
    consumerKey === undefined ||
    consumerSecret === undefined ||
    shortCode === undefined ||
    passkey === undefined
  ) {
    throw incomplete(missing);
  }
  return {
    baseUrl: environment.DARAJA_BASE_URL,
    consumerKey,
    consumerSecret,
    shortCode,
    till: environment.DARAJA_TILL ?? null,
    passkey,
    initiator: readInitiator(environment),
  };
}

function readInitiator(environment: Environment): DarajaSettings['initiator'] {
  const name = environment.DARAJA_INITIATOR;
  const credential = environment.DARAJA_SECURITY_CREDENTIAL;
  if (name === undefined && credential === undefined) return null;
  if (name === undefined) throw incomplete(['DARAJA_INITIATOR']);
  if (credential === undefined) throw incomplete(['DARAJA_SECURITY_CREDENTIAL']);
  return { name, credential };
}

function incomplete(missing: readonly string[]): EnvironmentError {
  return new EnvironmentError(
    `mpesa cannot start: with some of the DARAJA settings, these are needed as well: ${missing.join(', ')}.`,
  );
}
