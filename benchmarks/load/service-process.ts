import { freePort, startProgram } from '../lib/program.ts';
import type { Running } from '../lib/program.ts';

/** The M-PESA service as a process of its own. */
export interface Service extends Running {
  readonly token: string;
}

const token = 'benchmark-callback-token';

/** Starts the service with its default settings and waits until it is ready. */
export async function startService(databaseUrl: string): Promise<Service> {
  const port = await freePort();
  const running = await startProgram({
    folder: 'apps/mpesa',
    script: 'src/main.ts',
    settings: {
      DATABASE_URL: databaseUrl,
      API_KEY: 'benchmark-key',
      MPESA_CALLBACK_TOKEN: token,
      MPESA_PORT: String(port),
      // The callers are on this machine, which is no address of M-PESA.
      MPESA_SOURCE_CHECK: 'off',
    },
    port,
    readyPath: '/health/ready',
  });
  return { ...running, token };
}
