import { EnvironmentError, databaseOptions, isProduction, parseEnvironment } from '@repo/http';
import { createDb } from '@repo/db';
import type { Db } from '@repo/db';
import { createDaraja } from '../daraja/client.ts';
import type { Daraja } from '../daraja/client.ts';
import { readSettings } from '../daraja/env-settings.ts';
import type { DarajaSettings } from '../daraja/settings.ts';
import { isRealMoney } from '../daraja/url-rules.ts';
import { environmentSchema } from '../env.ts';
import type { Environment } from '../env.ts';

/** What a command for the account at Daraja works with. */
export interface CommandContext {
  readonly environment: Environment;
  readonly account: DarajaSettings;
  readonly db: Db;
  readonly daraja: Daraja;
  /** Whether the rules of production hold: by the settings, or because the account moves real money. */
  readonly isProduction: boolean;
}

/** The exit code where the settings cannot be used. Nothing has been done then. */
const UNUSABLE = 2;

/**
 * Runs a command that needs the account at Daraja, and sets the exit code: what `work` answers, 2 when the settings cannot be
 * used, 1 after an error.
 */
export async function runDarajaCommand(
  name: string,
  work: (context: CommandContext) => Promise<number>,
): Promise<void> {
  const settings = readCommandSettings(name);
  if (settings === null) return;
  const { environment, account } = settings;
  const db = createDb({ ...databaseOptions(environment), maxConnections: 2 });
  const daraja = createDaraja(db, account);
  try {
    process.exitCode = await work({ ...settings, db, daraja });
  } catch (error) {
    // A code of ours explains itself; what nobody foresaw is shown as it is, but for what is secret.
    const isForeseen = error instanceof Error && 'code' in error;
    const text = isForeseen ? error.message : error instanceof Error ? (error.stack ?? '') : String(error);
    process.stderr.write(`${withoutSecrets(text, settings)}\n`);
    process.exitCode = 1;
  } finally {
    await daraja.close();
    await db.close();
  }
}

function readCommandSettings(
  name: string,
): Pick<CommandContext, 'account' | 'environment' | 'isProduction'> | null {
  try {
    const environment = parseEnvironment(name, environmentSchema({ isProduction: isProduction() }));
    const account = readSettings(environment, { isProduction: isProduction() });
    if (account === null) {
      throw new EnvironmentError(`${name} needs the account at Daraja: set the DARAJA settings.`);
    }
    return { environment, account, isProduction: isProduction() || isRealMoney(account.baseUrl) };
  } catch (error) {
    if (!(error instanceof EnvironmentError)) throw error;
    process.stderr.write(`${error.message}\n`);
    process.exitCode = UNUSABLE;
    return null;
  }
}

/** A text of somebody else's without what nobody may read in a terminal or its log. */
export function withoutSecrets(
  text: string,
  { environment, account }: Pick<CommandContext, 'account' | 'environment'>,
): string {
  const secrets = [
    [environment.MPESA_CALLBACK_TOKEN, '<MPESA_CALLBACK_TOKEN>'],
    [account.consumerKey, '<DARAJA_CONSUMER_KEY>'],
    [account.consumerSecret, '<DARAJA_CONSUMER_SECRET>'],
    [account.passkey, '<DARAJA_PASSKEY>'],
    [account.initiator?.credential ?? '', '<DARAJA_SECURITY_CREDENTIAL>'],
    [environment.API_KEY, '<API_KEY>'],
  ] as const;
  return secrets.reduce(
    (shown, [secret, name]) => (secret === '' ? shown : shown.replaceAll(secret, name)),
    text,
  );
}

/** Where M-PESA reports payments, below the address at which it reaches the service. */
export function c2bUrls(callbackUrl: string, token: string) {
  const root = `${callbackUrl}/c2b/${token}`;
  return { confirmationUrl: `${root}/confirmation`, validationUrl: `${root}/validation` };
}
