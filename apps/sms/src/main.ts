import { randomBytes } from 'node:crypto';
import { hostname } from 'node:os';
import { createDb, createReads } from '@repo/db';
import { databaseOptions, replicaOptions, runService } from '@repo/http';
import { createApp } from './app.ts';
import { chooseCallbacks, chooseProvider } from './providers/choose-provider.ts';
import { readEnvironment } from './env.ts';
import { senderSettings } from './sender/settings.ts';
import { startMonitor } from './sender/monitor.ts';
import { startSending } from './sender/start-sending.ts';

/** Less than the time that a service has to end, so that what was given up can still be recorded. */
const LONGEST_GRACE_MS = 18_000;

const environment = readEnvironment();
const db = createDb(databaseOptions(environment));
const reads = createReads(db, replicaOptions(environment));
const { server, metrics } = await createApp({
  db,
  reads,
  callbacks: chooseCallbacks(environment),
  settings: {
    apiKey: environment.API_KEY,
    callbackToken: environment.SMS_CALLBACK_TOKEN,
    maxCallbacks: environment.QUEUE_LIMIT,
    maxClients: environment.QUEUE_LIMIT,
    logLevel: environment.LOG_LEVEL,
  },
});
const { app } = server;

// No other process has this name, and no later one on this machine.
const NAME = `${hostname().slice(0, 40)}-${String(process.pid)}-${randomBytes(4).toString('hex')}`;
const provider = chooseProvider(environment, (line) => app.log.info(line));
const isSending = environment.SMS_SENDER === 'on';
const sending = isSending
  ? startSending({ db, server, provider, metrics }, senderSettings(environment, NAME))
  : null;
const monitor = isSending ? null : startMonitor({ db, provider: null, metrics, log: app.log });

// While the last requests are answered nothing new is begun.
app.addHook('preClose', (done) => {
  sending?.stop();
  done();
});

if (environment.isProduction && environment.SMS_PROVIDER === 'console') {
  app.log.warn('SMS_PROVIDER is console: messages are marked as sent, and nobody gets any');
}
await runService(server, {
  host: environment.HOST,
  port: environment.SMS_PORT,
  portVariable: 'SMS_PORT',
  close: async () => {
    // What came of the last attempts is recorded before the database closes.
    await Promise.all([monitor?.stop(), sending?.close(LONGEST_GRACE_MS)]);
    await provider.close();
    await reads.close();
    await db.close();
  },
});
