import { setTimeout as sleep } from 'node:timers/promises';
import { createDb, openWallet } from '@repo/db';
import {
  confirmationOf,
  createPayment,
  createRandom,
  openTarget,
  sendConfirmation,
  smsSettings,
  startAfricasTalking,
} from '@repo/simulator';
import type { AfricasTalkingSimulator, C2bMessage, Random, Target } from '@repo/simulator';
import { until } from '@repo/testing/until';
import { startProgram } from '../sms-kill-trial/processes.ts';
import type { TrialProcess } from '../sms-kill-trial/processes.ts';

/** What was sent and acknowledged, and when. */
export interface Ledger {
  /** Every receipt that was sent. */
  readonly sent: ReadonlySet<string>;
  /** Those that M-PESA would take as acknowledged. */
  readonly acknowledged: ReadonlySet<string>;
  /** The time of each acknowledgement, by performance.now(). */
  readonly times: readonly number[];
}

/** The real services under load, and what came of it. */
export interface Load {
  readonly ledger: Ledger;
  /** Waits until so many more are acknowledged. */
  untilMore(count: number): Promise<void>;
  /** No more payments are begun, and those under way are repeated until they are acknowledged. */
  finish(): Promise<void>;
  /** The texts that customers were sent. */
  readTexts(): Promise<readonly string[]>;
  /** Ends everything. */
  stop(): Promise<void>;
}

export interface LoadOptions {
  readonly databaseUrl: string;
  /** How many pay at the same time. */
  readonly payers: number;
  /** How long each waits after an acknowledgement. */
  readonly pauseMs: number;
  readonly seed: string;
}

const TOKEN = 'trial-token-of-24-letters';
const COMMON = { API_KEY: 'trial-key', LOG_LEVEL: 'info' };
/** After a refusal the payment is reported again; M-PESA takes longer. */
const REPEAT_MS = 200;
/** How long a payer waits for an answer before the payment is reported again. */
const ANSWER_MS = 8_000;

/** Starts the M-PESA and the SMS service on a migrated database, and has customers pay. */
export async function startLoad(options: LoadOptions): Promise<Load> {
  const { databaseUrl, seed } = options;
  const random = createRandom(seed);
  const accounts = await openWallets(databaseUrl);
  const provider = await startAfricasTalking();
  const services = startServices(databaseUrl, provider.url);
  try {
    const [url = ''] = await Promise.all(services.map((each) => each.url));
    const target = openTarget({ url, token: TOKEN });
    const ledger = { sent: new Set<string>(), acknowledged: new Set<string>(), times: new Array<number>() };
    const ended = new AbortController();
    const payers = Array.from({ length: options.payers }, async () => {
      while (!ended.signal.aborted) {
        await pay(target, newMessage(random, accounts), ledger);
        await sleep(options.pauseMs);
      }
    });
    const paying = Promise.all(payers);
    return {
      ledger,
      async untilMore(count) {
        const least = ledger.acknowledged.size + count;
        await until(`${String(count)} more payments`, () => ledger.acknowledged.size >= least);
      },
      async finish() {
        ended.abort();
        await paying;
      },
      readTexts: () => readTexts(provider),
      async stop() {
        ended.abort();
        await Promise.all(services.map((each) => each.kill()));
        await target.pool.destroy();
        await provider.close();
      },
    };
  } catch (error) {
    await Promise.all(services.map((each) => each.kill()));
    await provider.close();
    throw error;
  }
}

async function openWallets(url: string): Promise<string[]> {
  const db = createDb({ url, maxConnections: 1 });
  try {
    const numbers: string[] = [];
    for (let i = 0; i < WALLETS; i += 1) {
      const phone = `254700000${String(i).padStart(3, '0')}`;
      numbers.push((await openWallet(db, { holderName: 'Amina Otieno', phone })).number);
    }
    return numbers;
  } finally {
    await db.close();
  }
}

const WALLETS = 40;

function startServices(databaseUrl: string, providerUrl: string): TrialProcess[] {
  const environment = { ...COMMON, DATABASE_URL: databaseUrl };
  const mpesa = { MPESA_PORT: '0', MPESA_CALLBACK_TOKEN: TOKEN, MPESA_SOURCE_CHECK: 'off' };
  const sms = {
    SMS_PORT: '0',
    SMS_CALLBACK_TOKEN: TOKEN,
    ...smsSettings(providerUrl),
    // Customers are told as soon as may be: that is the danger which the trial looks for.
    SMS_POLL_MS: '50',
  };
  return [
    startProgram({
      path: 'apps/mpesa/src/main.ts',
      parameters: [],
      environment: { ...environment, ...mpesa },
    }),
    startProgram({ path: 'apps/sms/src/main.ts', parameters: [], environment: { ...environment, ...sms } }),
  ];
}

function newMessage(random: Random, accounts: readonly string[]): C2bMessage {
  const account = accounts[random.integer(accounts.length)] ?? '';
  return confirmationOf(createPayment(random, { account, amount: '25.00' }), 'masked');
}

interface OpenLedger {
  readonly sent: Set<string>;
  readonly acknowledged: Set<string>;
  readonly times: number[];
}

/** Reports a payment again and again until it is acknowledged, as M-PESA may. */
async function pay(target: Target, message: C2bMessage, ledger: OpenLedger): Promise<void> {
  ledger.sent.add(message.TransID);
  for (;;) {
    const answer = await Promise.race([
      sendConfirmation(target, message).catch(() => null),
      sleep(ANSWER_MS, null, { ref: false }),
    ]);
    if (answer?.accepted === true) {
      ledger.acknowledged.add(message.TransID);
      ledger.times.push(performance.now());
      return;
    }
    await sleep(REPEAT_MS);
  }
}

async function readTexts({ url }: AfricasTalkingSimulator): Promise<string[]> {
  const response = await fetch(`${url}/book?messages`);
  const { messages } = (await response.json()) as { messages: readonly { readonly text: string }[] };
  return messages.map(({ text }) => text);
}
