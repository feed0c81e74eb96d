import { smsSettings, startAfricasTalking } from '@repo/simulator';
import type { AfricasTalkingSimulator } from '@repo/simulator';
import type { Settings } from './env.ts';
import { startService } from './processes.ts';
import type { Service, ServiceOptions } from './processes.ts';

/** The SMS service and a simulated Africa's Talking that it sends through. */
export interface Texting {
  readonly service: Service;
  readonly provider: AfricasTalkingSimulator;
  stop(): Promise<void>;
}

/** Starts both, each knowing where the other is: delivery reports come back to the service. */
export async function startTexting(
  settings: Settings,
  databaseUrl: string,
  options: Omit<ServiceOptions, 'app'> & { readonly providerPort?: number },
): Promise<Texting> {
  const { smsCallbackToken: token } = settings;
  const provider = await startAfricasTalking({
    reportUrl: `http://127.0.0.1:${options.port}/delivery-reports/${token}`,
    ...(options.providerPort === undefined ? {} : { port: options.providerPort }),
  });
  const environment = {
    SMS_PORT: options.port,
    SMS_CALLBACK_TOKEN: token,
    ...smsSettings(provider.url),
  };
  const service = await startService(settings, databaseUrl, { ...options, app: 'sms', environment }).catch(
    async (error: unknown) => {
      await provider.close();
      throw error;
    },
  );
  return {
    service,
    provider,
    async stop() {
      // The reports that are due still find their service.
      await provider.close();
      await service.stop();
    },
  };
}
