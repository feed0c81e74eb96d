import { Client } from 'pg';
import { openOwnDatabase } from './database.ts';
import { readSettings } from './env.ts';
import { judgeLedger, judgeScenes, renderSms, renderVerdicts, renderWallets } from './evidence.ts';
import { freePort, startMpesa } from './processes.ts';
import { openWallets, playCrash, playScenes } from './scenes.ts';

// The main job, end to end, on real processes: a database of its own, two M-PESA services on it, and a simulated
// M-PESA that repeats itself, forges, mistypes and goes on while a service is killed. Exits 0 only if the database
// says afterwards that every shilling is where it must be.

const settings = readSettings();
const say = (text: string) => process.stdout.write(`${text}\n`);
const step = (text: string) => process.stdout.isTTY && process.stdout.write(`· ${text}\n`);

step('starting PostgreSQL and migrating a fresh database');
const database = await openOwnDatabase(settings);
const client = new Client({ connectionString: database.url });
let isRight = false;
try {
  step('starting two M-PESA services');
  const services = await Promise.all(
    [await freePort(), await freePort()].map((port) => startMpesa(settings, database.url, { port })),
  );
  try {
    const wallets = await openWallets(database.url);
    step('M-PESA reports payments');
    const scenes = await playScenes(services, settings.callbackToken, wallets);
    step('a service is killed while payments arrive');
    scenes.push(await playCrash(services, settings.callbackToken, wallets));
    isRight = await report(scenes);
  } finally {
    await Promise.all(services.map((service) => service.stop()));
  }
} finally {
  await client.end();
  await database.close();
}
process.exitCode = isRight ? 0 : 1;

async function report(scenes: Awaited<ReturnType<typeof playScenes>>): Promise<boolean> {
  await client.connect();
  const verdicts = await judgeScenes(client, scenes);
  const ledger = await judgeLedger(client);
  say('\nWhat the database says afterwards:\n');
  say(renderVerdicts(verdicts));
  say(`\n${await renderWallets(client)}\n`);
  for (const line of ledger.lines) say(line);
  say(await renderSms(client));
  const allRight = ledger.isRight && verdicts.every((verdict) => verdict.isRight);
  say(allRight ? '\nAll of it is right.' : '\nSomething is WRONG: see above.');
  return allRight;
}
