import { readCommandLine } from '@repo/command/command-line';
import { runCommand } from '@repo/command/run-command';
import { readSettings } from './env.ts';
import type { Settings } from './env.ts';
import { CommandError } from './errors.ts';
import { assertPortsFree } from './ports.ts';
import { awaitStop } from './stop-request.ts';
import type { StopRequest } from './stop-request.ts';

const USAGE = `Usage: dev

Everything that a developer needs, until Ctrl-C: the database with its migrations and sample wallets, the wallet, the
M-PESA and the SMS service, a simulated M-PESA with a phone to pay with, and a simulated provider that takes the SMS.
What the services log is shown as it comes. Own programs join by the address of the database that db:url prints.

Settings, from the environment or .env (.env.example has all of them):
  DATABASE_URL         a database to use instead of the development database
  WALLET_PORT          of the wallet service (default: 4001)
  MPESA_PORT           of the M-PESA service (default: 4002)
  SMS_PORT             of the SMS service (default: 4003)
  SIMULATOR_PORT       of the simulated M-PESA (default: 4010)
  SMS_SIMULATOR_PORT   of the simulated SMS provider (default: 4011)
  API_KEY              the key of all three services (default: dev-key)

Exit codes: 0 stopped as asked, 1 it could not start or not stop, 2 the command line cannot be used.`;

readCommandLine(USAGE);

const { darajaSettings } = await import('@repo/simulator');
const { openSharedDatabase } = await import('./database.ts');
const { startPayer } = await import('./payer.ts');
const { watchServices } = await import('./phone-watch.ts');
const { runScript, startService, startTogether } = await import('./processes.ts');
const { startTexting } = await import('./texting.ts');
const say = (text: string) => process.stdout.write(`${text}\n`);

await runCommand(async () => {
  using stop = awaitStop();
  try {
    await runServices(readSettings(stop.signal), stop);
  } catch (error) {
    // What was interrupted while it started has been stopped by then.
    if (!(error instanceof CommandError && error.code === 'stopped')) throw error;
  }
  return 0;
});

async function runServices(settings: Settings, { signal, wanted }: StopRequest): Promise<void> {
  await assertPortsFree(
    [
      { setting: 'WALLET_PORT', port: Number(settings.walletPort), purpose: 'wallet service' },
      { setting: 'MPESA_PORT', port: Number(settings.mpesaPort), purpose: 'M-PESA service' },
      { setting: 'SMS_PORT', port: Number(settings.smsPort), purpose: 'SMS service' },
      { setting: 'SIMULATOR_PORT', port: settings.simulatorPort, purpose: 'simulated M-PESA' },
      { setting: 'SMS_SIMULATOR_PORT', port: settings.smsSimulatorPort, purpose: 'simulated SMS provider' },
    ],
    settings.host,
  );
  await using opened = new AsyncDisposableStack();
  const database = await openSharedDatabase(settings);
  opened.defer(() => database.close());
  say(await runScript(settings, 'tools/database/src/seed.ts', database.url));
  const log = process.stdout;
  const [service, wallet, texting] = await startTogether([
    startService(settings, database.url, {
      app: 'mpesa',
      port: settings.mpesaPort,
      environment: darajaSettings({
        url: `http://127.0.0.1:${String(settings.simulatorPort)}`,
        callbackUrl: `http://127.0.0.1:${settings.mpesaPort}`,
      }),
      log,
    }),
    startService(settings, database.url, { app: 'wallet', port: settings.walletPort, log }),
    startTexting(settings, database.url, {
      port: settings.smsPort,
      providerPort: settings.smsSimulatorPort,
      log,
    }),
  ]);
  opened.defer(async () => {
    await Promise.all([service.stop(), wallet.stop(), texting.stop()]);
  });
  const payer = await startPayer({
    port: settings.simulatorPort,
    service: service.url,
    token: settings.callbackToken,
    watch: watchServices({ url: service.url, apiKey: settings.apiKey, provider: texting.provider }),
  });
  opened.defer(() => payer.close());
  signal.throwIfAborted();
  const authorization = `-H 'Authorization: Bearer ${settings.apiKey}'`;
  say(`
wallet service    ${wallet.url}/docs (WALLET_PORT)
M-PESA service    ${service.url}/docs (MPESA_PORT)
SMS service       ${texting.service.url}/docs (SMS_PORT)
simulated M-PESA  ${payer.url} shows a phone to pay with (SIMULATOR_PORT)
simulated SMS     ${texting.provider.url}/book?messages shows what was sent (SMS_SIMULATOR_PORT)
database          npm run -s db:url prints its address for other programs, npm run db:studio shows it

Pay into a wallet of the table above, three messages for one payment:
  curl -s ${payer.url}/pay -d '{"account": "<number>", "amount": "100.00", "copies": 3}'
and see what became of it:
  curl -s ${authorization} ${service.url}/deposits/<receipt>
  curl -s ${authorization} ${wallet.url}/receipts/<receipt>.pdf > receipt.pdf
  curl -s ${authorization} '${texting.service.url}/reports/cost?by=template'

Ctrl-C stops all of it.`);
  await wanted;
}
