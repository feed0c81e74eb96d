import { connectTo } from '@repo/database-url';
import { auditDatabase } from './audit.ts';
import { openOwnDatabase } from './database.ts';
import { readSettings } from './env.ts';
import {
  judgeLedger,
  judgeScenes,
  judgeWalletScenes,
  renderVerdicts,
  renderWalletVerdicts,
  renderWallets,
} from './evidence.ts';
import { freePorts, startService, startTogether } from './processes.ts';
import { openWallets, playCrash, playScenes } from './scenes.ts';
import type { Scene } from './scenes.ts';
import { judgeSms } from './sms-evidence.ts';
import { startTexting } from './texting.ts';
import type { Texting } from './texting.ts';
import { playReceipt, playTransfers } from './wallet-scenes.ts';
import type { WalletScene } from './wallet-scenes.ts';

// The main job, end to end, on real processes: a database of its own, two M-PESA services, the wallet and the SMS
// service on it, a simulated M-PESA that repeats itself, forges, mistypes and goes on while a service is killed, and a
// simulated provider that sends the SMS. Exits 0 only if the database says afterwards that every shilling is where it
// must be, and the provider's book that each message was sent once.

const settings = readSettings();
const say = (text: string) => process.stdout.write(`${text}\n`);
const step = (text: string) => process.stdout.isTTY && process.stdout.write(`· ${text}\n`);

step('starting PostgreSQL and migrating a fresh database');
const database = await openOwnDatabase(settings);
const client = await connectTo(database.url);
let isRight = false;
try {
  step('starting two M-PESA services, the wallet and the SMS service');
  const ports = await freePorts(4);
  const at = (place: number) => ({ port: ports[place] ?? '' });
  const [first, second, wallet, texting] = await startTogether([
    startService(settings, database.url, { app: 'mpesa', ...at(0) }),
    startService(settings, database.url, { app: 'mpesa', ...at(1) }),
    startService(settings, database.url, { app: 'wallet', ...at(2) }),
    startTexting(settings, database.url, at(3)),
  ]);
  const services = [first, second];
  try {
    const wallets = await openWallets(database.url);
    step('M-PESA reports payments');
    const scenes = await playScenes(services, settings.callbackToken, wallets);
    step('a service is killed while payments arrive');
    scenes.push(await playCrash(services, settings.callbackToken, wallets));
    step('customers pay each other');
    const transfers = await playTransfers(wallet, settings, wallets);
    step('a receipt is drawn, checked and forged');
    const receipts = await playReceipt(wallet, settings, transfers[0]?.posted?.reference ?? '');
    step('the last messages are sent');
    isRight = await report(scenes, [...transfers, ...receipts], texting);
  } finally {
    await Promise.all([...services, wallet, texting].map((service) => service.stop()));
  }
} finally {
  await client.end();
  await database.close();
}
process.exitCode = isRight ? 0 : 1;

async function report(
  scenes: readonly Scene[],
  walletScenes: readonly WalletScene[],
  texting: Texting,
): Promise<boolean> {
  const verdicts = await judgeScenes(client, scenes);
  const walletVerdicts = await judgeWalletScenes(client, walletScenes);
  const ledger = await judgeLedger(client);
  const sms = await judgeSms(client, texting.provider);
  const audit = await auditDatabase(database.url);
  say('\nWhat the database says afterwards:\n');
  say(renderVerdicts(verdicts));
  say(`\n${renderWalletVerdicts(walletVerdicts)}`);
  say(`\n${await renderWallets(client)}\n`);
  for (const line of [...ledger.lines, ...audit.lines]) say(line);
  say('');
  for (const line of sms.lines) say(line);
  const allRight =
    ledger.isRight &&
    audit.isRight &&
    sms.isRight &&
    [...verdicts, ...walletVerdicts].every((verdict) => verdict.isRight);
  say(allRight ? '\nAll of it is right.' : '\nSomething is WRONG: see above.');
  return allRight;
}
