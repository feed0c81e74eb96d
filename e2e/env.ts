import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { CommandError } from './errors.ts';

/** The repository. */
export const ROOT = fileURLToPath(new URL('..', import.meta.url));

/** What `demo` and `dev` take from the environment. The keys have defaults here because nothing real is behind them. */
export interface Settings {
  /** A server to use instead of the embedded one; null for the embedded one. */
  readonly databaseUrl: string | null;
  readonly apiKey: string;
  readonly callbackToken: string;
  readonly mpesaPort: string;
  readonly walletPort: string;
  readonly smsPort: string;
  readonly smsCallbackToken: string;
  /** Where the simulated provider of SMS listens in `dev`. */
  readonly smsSimulatorPort: number;
  readonly simulatorPort: number;
  /** The address that services listen on. */
  readonly host: string;
  /** Aborted when the command shall stop. */
  readonly stop: AbortSignal;
  /** The rest of the environment, for the processes that are started. */
  readonly inherited: Readonly<Record<string, string | undefined>>;
}

/**
 * Reads the settings, those in the root's `.env` included, as the services' start scripts do.
 *
 * @throws {CommandError} setting_invalid, also in production, for which these commands are not
 */
export function readSettings(stop: AbortSignal = new AbortController().signal): Settings {
  const file = join(ROOT, '.env');
  if (existsSync(file)) process.loadEnvFile(file);
  const { env } = process;
  if (env['NODE_ENV'] === 'production') {
    throw new CommandError(
      'setting_invalid',
      'NODE_ENV is production: this command writes samples and uses keys that everybody knows. Unset it to go on.',
    );
  }
  return {
    databaseUrl: env['DATABASE_URL'] || null,
    apiKey: env['API_KEY'] || 'dev-key',
    callbackToken: env['MPESA_CALLBACK_TOKEN'] || 'dev-token',
    mpesaPort: String(portOf('MPESA_PORT', env['MPESA_PORT'], 4002)),
    walletPort: String(portOf('WALLET_PORT', env['WALLET_PORT'], 4001)),
    smsPort: String(portOf('SMS_PORT', env['SMS_PORT'], 4003)),
    smsCallbackToken: env['SMS_CALLBACK_TOKEN'] || 'dev-token',
    smsSimulatorPort: portOf('SMS_SIMULATOR_PORT', env['SMS_SIMULATOR_PORT'], 4011),
    simulatorPort: portOf('SIMULATOR_PORT', env['SIMULATOR_PORT'], 4010),
    host: env['HOST'] || '127.0.0.1',
    stop,
    inherited: env,
  };
}

function portOf(name: string, value: string | undefined, usual: number): number {
  const port = value ? Number(value) : usual;
  if (Number.isInteger(port) && port >= 1 && port <= 65_535) return port;
  throw new CommandError(
    'setting_invalid',
    `${name} is not a port, which is a whole number from 1 to 65535.`,
  );
}
