import { createDb, createDepositIntake, createPaymentIntake, createReads } from '@repo/db';
import { databaseOptions, isProduction, replicaOptions, runService } from '@repo/http';
import { createApp } from './app.ts';
import { createDaraja } from './daraja/client.ts';
import { darajaSettings } from './daraja/env-settings.ts';
import { readEnvironment } from './env.ts';
import { USUAL_TIMINGS } from './payments/timings.ts';
import { findTokenFaults } from './token-faults.ts';

const environment = readEnvironment();
const account = darajaSettings(environment, { isProduction: isProduction() });
const db = createDb(databaseOptions(environment));
const reads = createReads(db, replicaOptions(environment));
const maxAmount = environment.MPESA_MAX_AMOUNT;
const lanes = environment.DATABASE_LANES;
const inLanes = lanes === undefined ? {} : { lanes };
const intake = createDepositIntake(db.patient, { maxAmount, ...inLanes });
const payments = createPaymentIntake(db.patient, { maxAmount, ...inLanes });
const daraja = account === null ? null : createDaraja(db, account);
const callbackUrl = environment.DARAJA_CALLBACK_URL;
const pullMinutes = environment.DARAJA_PULL_MINUTES;
const webhookKey = environment.WEBHOOK_KEY;
const server = await createApp({
  db,
  reads,
  intake,
  payments,
  daraja,
  timings: USUAL_TIMINGS,
  settings: {
    apiKey: environment.API_KEY,
    callbackToken: environment.MPESA_CALLBACK_TOKEN,
    validation: environment.MPESA_VALIDATION,
    maxAmount,
    sourceCheck: { mode: environment.MPESA_SOURCE_CHECK, allowlist: environment.MPESA_SOURCE_ALLOWLIST },
    trustProxy: environment.TRUST_PROXY,
    maxCallbacks: environment.QUEUE_LIMIT,
    maxClients: environment.QUEUE_LIMIT,
    logLevel: environment.LOG_LEVEL,
    ...(callbackUrl === undefined ? {} : { callbackUrl }),
    ...(pullMinutes === undefined ? {} : { pullMinutes }),
    ...(webhookKey === undefined ? {} : { webhooks: { key: webhookKey, isPublicOnly: isProduction() } }),
  },
});

for (const fault of findTokenFaults(environment.MPESA_CALLBACK_TOKEN)) server.app.log.warn(fault);
await runService(server, {
  host: environment.HOST,
  port: environment.MPESA_PORT,
  portVariable: 'MPESA_PORT',
  close: async () => {
    await intake.close();
    await payments.close();
    await daraja?.close();
    await reads.close();
    await db.close();
  },
});
