import { readCommandLine } from '@repo/command/command-line';
import { runCommand } from '@repo/command/run-command';
import { connectTo } from '@repo/database-url';
import { darajaSettings } from '@repo/simulator';
import type { Client } from 'pg';
import { auditDatabase } from './audit.ts';
import { openOwnDatabase } from './database.ts';
import { readSettings } from './env.ts';
import type { Settings } from './env.ts';
import {
  judgeLedger,
  judgeScenes,
  judgeWalletScenes,
  renderVerdicts,
  renderWalletVerdicts,
  renderWallets,
} from './evidence.ts';
import { playPayments, startPhones } from './payment-scenes.ts';
import { freePorts, startService, startTogether } from './processes.ts';
import { openWallets, playCrash, playScenes } from './scenes.ts';
import type { Scene } from './scenes.ts';
import { judgeSms } from './sms-evidence.ts';
import { playStatement } from './statement-scene.ts';
import { awaitStop } from './stop-request.ts';
import { startTexting } from './texting.ts';
import type { Texting } from './texting.ts';
import { playReceipt, playTransfers } from './wallet-scenes.ts';
import type { WalletScene } from './wallet-scenes.ts';

const USAGE = `Usage: demo

The main job, end to end, on real processes: a database of its own, two M-PESA services, the wallet and the SMS service
on it, a simulated M-PESA that repeats itself, forges, mistypes and goes on while a service is killed, and a simulated
provider that sends the SMS. Phones are asked for payments: one is paid, one cancelled, one paid late. One callback is lost,
and found in M-PESA's statement. Says afterwards what the database and the provider's book hold. Nothing of it stays but
the receipts in .daftari/demo.

Settings, from the environment or .env:
  DATABASE_URL   a server to make that database on, instead of the development server

Exit codes: 0 every shilling is where it must be and each message was sent once, 1 something is wrong or failed,
2 the command line cannot be used.`;

const NEXT = `What next:
  npm run dev      the same to play with: pay into wallets, see receipts and SMS, until Ctrl-C
  npm run db:url   while dev runs: the address of its database, for a program of your own
  README.md        the package (@repo/db), the services and every command; docs/operating.md for running it
The receipts of this run are in .daftari/demo.`;

readCommandLine(USAGE);
const say = (text: string) => process.stdout.write(`${text}\n`);
const step = (text: string) => process.stdout.isTTY && process.stdout.write(`· ${text}\n`);

await runCommand(async () => {
  using stop = awaitStop();
  return (await play(readSettings(stop.signal))) ? 0 : 1;
});

async function play(settings: Settings): Promise<boolean> {
  step('starting PostgreSQL and migrating a fresh database');
  await using opened = new AsyncDisposableStack();
  const database = await openOwnDatabase(settings);
  opened.defer(() => database.close());
  step('starting two M-PESA services, the wallet and the SMS service');
  const ports = await freePorts(4);
  const at = (place: number) => ({ port: ports[place] ?? '' });
  const phones = await startPhones();
  opened.defer(() => phones.close());
  const asking = darajaSettings({ url: phones.url, callbackUrl: `http://127.0.0.1:${at(0).port}` });
  const [first, second, wallet, texting] = await startTogether([
    startService(settings, database.url, { app: 'mpesa', ...at(0), environment: asking }),
    startService(settings, database.url, { app: 'mpesa', ...at(1) }),
    startService(settings, database.url, { app: 'wallet', ...at(2) }),
    startTexting(settings, database.url, at(3)),
  ]);
  const services = [first, second];
  opened.defer(async () => {
    await Promise.all([...services, wallet, texting].map((service) => service.stop()));
  });
  const wallets = await openWallets(database.url);
  next(settings, 'M-PESA reports payments');
  const scenes = await playScenes(services, settings.callbackToken, wallets);
  next(settings, 'phones are asked for payments');
  scenes.push(...(await playPayments(first, { settings, wallets })));
  next(settings, "a callback is lost, and M-PESA's statement is imported");
  scenes.push(await playStatement(first, settings, wallets));
  next(settings, 'a service is killed while payments arrive');
  scenes.push(await playCrash(services, settings.callbackToken, wallets));
  next(settings, 'customers pay each other');
  const transfers = await playTransfers(wallet, settings, wallets);
  next(settings, 'a receipt is drawn, checked and forged');
  const receipts = await playReceipt(wallet, settings, transfers[0]?.posted?.reference ?? '');
  next(settings, 'the last messages are sent');
  const client = await connectTo(database.url);
  opened.defer(() => client.end());
  return await report(client, {
    databaseUrl: database.url,
    scenes,
    walletScenes: [...transfers, ...receipts],
    texting,
  });
}

/** Says what comes now, unless it was asked to stop. */
function next({ stop }: Settings, what: string): void {
  stop.throwIfAborted();
  step(what);
}

interface Played {
  readonly databaseUrl: string;
  readonly scenes: readonly Scene[];
  readonly walletScenes: readonly WalletScene[];
  readonly texting: Texting;
}

async function report(client: Client, played: Played): Promise<boolean> {
  const { scenes, walletScenes, texting } = played;
  const verdicts = await judgeScenes(client, scenes);
  const walletVerdicts = await judgeWalletScenes(client, walletScenes);
  const ledger = await judgeLedger(client);
  const sms = await judgeSms(client, texting.provider);
  const audit = await auditDatabase(played.databaseUrl);
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
  say(allRight ? `\nAll of it is right.\n\n${NEXT}` : '\nSomething is WRONG: see above.');
  return allRight;
}
