import { fileURLToPath } from 'node:url';

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
  /** The rest of the environment, for the processes that are started. */
  readonly inherited: Readonly<Record<string, string | undefined>>;
}

export function readSettings(): Settings {
  const { env } = process;
  return {
    databaseUrl: env['DATABASE_URL'] ?? null,
    apiKey: env['API_KEY'] ?? 'dev-key',
    callbackToken: env['MPESA_CALLBACK_TOKEN'] ?? 'dev-token',
    mpesaPort: env['MPESA_PORT'] ?? '4002',
    walletPort: env['WALLET_PORT'] ?? '4001',
    smsPort: env['SMS_PORT'] ?? '4003',
    smsCallbackToken: env['SMS_CALLBACK_TOKEN'] ?? 'dev-token',
    smsSimulatorPort: Number(env['SMS_SIMULATOR_PORT'] ?? '4011'),
    simulatorPort: Number(env['SIMULATOR_PORT'] ?? '4010'),
    inherited: env,
  };
}
