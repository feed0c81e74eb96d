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

/** What a command works with that needs no account at Daraja. */
export type DatabaseContext = Pick<CommandContext, 'db' | 'environment'>;

type Settings = Pick<CommandContext, 'account' | 'environment' | 'isProduction'>;

/**
 * Runs a command that needs the account at Daraja, and sets the exit code: what `work` answers, 2 when the settings cannot be
 * used, and `failure` after an error. Default: 1.
 */
export async function runDarajaCommand(
  name: string,
  work: (context: CommandContext) => Promise<number>,
  failure = 1,
): Promise<void> {
  const settings = readOrExplain(() => accountSettings(name));
  if (settings === null) return;
  await runWith(settings, { failure }, async (db) => {
    const daraja = createDaraja(db, settings.account);
    try {
      return await work({ ...settings, db, daraja });
    } finally {
      await daraja.close();
    }
  });
}

/** The same for a command that needs the database alone. */
export async function runDatabaseCommand(
  name: string,
  work: (context: DatabaseContext) => Promise<number>,
  failure = 1,
): Promise<void> {
  const settings = readOrExplain(() => ({ environment: serviceSettings(name), account: null }));
  if (settings === null) return;
  const { environment } = settings;
  await runWith(settings, { failure }, (db) => work({ environment, db }));
}

async function runWith(
  settings: { readonly environment: Environment; readonly account: DarajaSettings | null },
  { failure }: { readonly failure: number },
  work: (db: Db) => Promise<number>,
): Promise<void> {
  const db = createDb({ ...databaseOptions(settings.environment), maxConnections: 2 });
  try {
    process.exitCode = await work(db);
  } catch (error) {
    // A code of ours explains itself; what nobody foresaw is shown as it is, but for what is secret.
    const isForeseen = error instanceof Error && 'code' in error;
    const text = isForeseen ? error.message : error instanceof Error ? (error.stack ?? '') : String(error);
    process.stderr.write(`${withoutSecrets(text, settings)}\n`);
    process.exitCode = failure;
  } finally {
    await db.close();
  }
}

function serviceSettings(name: string): Environment {
  return parseEnvironment(name, environmentSchema({ isProduction: isProduction() }));
}

function accountSettings(name: string): Settings {
  const environment = serviceSettings(name);
  const account = readSettings(environment, { isProduction: isProduction() });
  if (account === null) {
    throw new EnvironmentError(`${name} needs the account at Daraja: set the DARAJA settings.`);
  }
  return { environment, account, isProduction: isProduction() || isRealMoney(account.baseUrl) };
}

/** Null, with the reason on standard error and the exit code set, where the settings cannot be used. */
function readOrExplain<Found>(find: () => Found): Found | null {
  try {
    return find();
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
  { environment, account }: { readonly environment: Environment; readonly account: DarajaSettings | null },
): string {
  const secrets = [
    [environment.MPESA_CALLBACK_TOKEN, '<MPESA_CALLBACK_TOKEN>'],
    [account?.consumerKey ?? '', '<DARAJA_CONSUMER_KEY>'],
    [account?.consumerSecret ?? '', '<DARAJA_CONSUMER_SECRET>'],
    [account?.passkey ?? '', '<DARAJA_PASSKEY>'],
    [account?.initiator?.credential ?? '', '<DARAJA_SECURITY_CREDENTIAL>'],
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
