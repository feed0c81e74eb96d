import { randomBytes } from 'node:crypto';
import { hostname } from 'node:os';
import { createDb, createSchemaCheck } from '@repo/db';
import { closeGracefully } from '@repo/http';
import { createApp } from './app.ts';
import { chooseProvider } from './providers/choose-provider.ts';
import { readEnvironment } from './env.ts';
import { senderSettings } from './sender/settings.ts';
import { startMonitor } from './sender/monitor.ts';
import { startSending } from './sender/start-sending.ts';

/** Less than the time that a service has to end, so that what was given up can still be recorded. */
const longestGraceMs = 18_000;

const environment = readEnvironment();
const db = createDb({
  url: environment.DATABASE_URL,
  maxConnections: environment.DATABASE_CONNECTIONS,
  pooler: environment.DATABASE_POOLER === 'transaction',
});
const { server, metrics } = await createApp({
  db,
  settings: {
    apiKey: environment.API_KEY,
    callbackToken: environment.SMS_CALLBACK_TOKEN,
    logLevel: environment.LOG_LEVEL,
  },
});
const { app } = server;

// No other process has this name, and no later one on this machine.
const name = `${hostname().slice(0, 40)}-${String(process.pid)}-${randomBytes(4).toString('hex')}`;
const provider = chooseProvider(environment, (line) => app.log.info(line));
const isSending = environment.SMS_SENDER === 'on';
const sending = isSending
  ? startSending({ db, server, provider, metrics }, senderSettings(environment, name))
  : null;
const monitor = isSending ? null : startMonitor({ db, provider: null, metrics, log: app.log });

// While the last requests are answered nothing new is begun. Then everything is recorded, and the database closes.
app.addHook('preClose', (done) => {
  sending?.stop();
  done();
});
app.addHook('onClose', async () => {
  await Promise.all([monitor?.stop(), sending?.close(longestGraceMs)]);
  await provider.close();
  await db.close();
});
closeGracefully(server, { signals: ['SIGTERM', 'SIGINT'] });

if (environment.isProduction && environment.SMS_PROVIDER === 'console') {
  app.log.warn('SMS_PROVIDER is console: messages are marked as sent, and nobody gets any');
}
try {
  await app.listen({ host: environment.HOST, port: environment.SMS_PORT });
} catch (error) {
  app.log.fatal({ err: error }, 'cannot listen; set HOST and SMS_PORT to an address and port that are free');
  process.exit(1);
}

// A database that comes later is no reason to end: until then readiness and requests are answered 503.
await createSchemaCheck(db)().catch((error: unknown) => {
  app.log.warn({ err: error }, 'the database cannot be used yet; requests are answered 503 until it can');
});
