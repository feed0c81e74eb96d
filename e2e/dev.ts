import { once } from 'node:events';
import { openSharedDatabase } from './database.ts';
import { readSettings } from './env.ts';
import { startPayer } from './payer.ts';
import { runScript, startService, startTogether } from './processes.ts';
import { startTexting } from './texting.ts';

// Everything a developer needs, until Ctrl-C: the database with its migrations and sample wallets, the wallet, the
// M-PESA and the SMS service, a simulated M-PESA to pay with, and a simulated provider that takes the SMS. What the
// services log is shown as it comes.

const settings = readSettings();
const say = (text: string) => process.stdout.write(`${text}\n`);

const database = await openSharedDatabase(settings);
try {
  say(await runScript(settings, 'packages/migrate/src/seed.ts', database.url));
  const log = process.stdout;
  const [service, wallet, texting] = await startTogether([
    startService(settings, database.url, { app: 'mpesa', port: settings.mpesaPort, log }),
    startService(settings, database.url, { app: 'wallet', port: settings.walletPort, log }),
    startTexting(settings, database.url, {
      port: settings.smsPort,
      providerPort: settings.smsSimulatorPort,
      log,
    }),
  ]);
  try {
    const payer = await startPayer({
      port: settings.simulatorPort,
      service: service.url,
      token: settings.callbackToken,
    });
    say(`
wallet service    ${wallet.url}/docs
M-PESA service    ${service.url}/docs
SMS service       ${texting.service.url}/docs
database          ${database.url.replace(/:[^:@/]+@/, ':…@')} (pnpm db:studio shows it)
simulated M-PESA  ${payer.url}
simulated SMS     ${texting.provider.url}/book?messages shows what was sent

Pay into a wallet of the table above, three messages for one payment:
  curl -s ${payer.url}/pay -d '{"account": "<number>", "amount": "100.00", "copies": 3}'
and see what became of it:
  curl -s -H 'Authorization: Bearer ${settings.apiKey}' ${service.url}/deposits/<receipt>
  curl -s -H 'Authorization: Bearer ${settings.apiKey}' ${wallet.url}/receipts/<receipt>.pdf > receipt.pdf
  curl -s -H 'Authorization: Bearer ${settings.apiKey}' '${texting.service.url}/reports/cost?by=template'

Ctrl-C stops all of it.`);
    await Promise.race([once(process, 'SIGINT'), once(process, 'SIGTERM')]);
    await payer.close();
  } finally {
    await Promise.all([service.stop(), wallet.stop(), texting.stop()]);
  }
} finally {
  await database.close();
}
