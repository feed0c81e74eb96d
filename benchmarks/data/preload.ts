import { confirmationOf, createPayment, createRandom } from '@repo/simulator';
import { Client } from 'pg';
import { BenchmarkError } from '../lib/errors.ts';
import { CREATE_CHUNK, PREPARE, STORE_CHUNK } from './preload.sql.ts';
import type { Customer } from './payments.ts';

export interface Preload {
  /** How many deposits there will be. */
  readonly count: number;
  /** Deposits of one transaction. Default: 100,000. */
  readonly chunk?: number;
  /** Called with how many there are so far, after each transaction. */
  readonly onChunk?: (loaded: number) => void;
}

/** Messages that differ in everything but receipt, account and time. */
const PATTERNS = 1_000;

/** Accounts that belong to nobody: one payment in a hundred names one and waits in suspense. */
const STRANGERS = 50;

/** What stands in a pattern where a payment has its own. */
const BLANKS = { receipt: '@receipt', account: '@account', time: '@time' };

/**
 * Fills a database with deposits of the last hundred days, as if they had come one after the other through the door: the
 * same values in the same columns of `core.transactions`, `services.mpesa_logs`, `mpesa_callbacks` and `sms_logs`, the
 * wallets' balances and versions, and the SMS sent and booked as spent. They end with yesterday, so payments
 * of today follow them. The database's own functions make ids, hashes and texts, but the rows go **past the guards and the
 * foreign keys** (`session_replication_role`, for a superuser, inside each transaction). So it is for a database of one's
 * own, with the customers' wallets and nothing else in it.
 *
 * What it does not leave behind is the dead rows of messages that were sent, and batches that share one moment.
 *
 * @throws BenchmarkError `not_empty` when there is a transaction, log, callback or message
 */
export async function preloadDeposits(
  url: string,
  customers: readonly Customer[],
  { count, chunk = 100_000, onChunk }: Preload,
): Promise<void> {
  const client = new Client({ connectionString: url });
  await client.connect();
  try {
    await requireEmpty(client);
    await client.query(PREPARE.session);
    await client.query(PREPARE.patterns, patternColumns());
    await client.query(PREPARE.payees, [customers.map(({ number }) => number), strangers()]);
    for (let first = 1; first <= count; first += chunk) {
      const last = Math.min(first + chunk - 1, count);
      await client.query('BEGIN');
      await client.query('SET LOCAL session_replication_role = replica');
      if (first === 1) await client.query(PREPARE.beginning);
      await client.query(CREATE_CHUNK, [first, last, count]);
      for (const statement of STORE_CHUNK) await client.query(statement);
      await client.query('COMMIT');
      onChunk?.(last);
    }
  } finally {
    await client.end();
  }
}

async function requireEmpty(client: Client): Promise<void> {
  const { rows } = await client.query<{ name: string }>(PREPARE.occupied);
  const [found] = rows;
  if (found !== undefined) throw new BenchmarkError('not_empty', `${found.name} has rows.`);
}

/** The facts of made-up payments, a column each, with blanks where a payment has its own. */
function patternColumns(): string[][] {
  const random = createRandom('preload');
  const made = Array.from({ length: PATTERNS }, () => {
    const payment = createPayment(random, { receipt: BLANKS.receipt, account: BLANKS.account });
    const message = { ...confirmationOf(payment, 'masked'), TransTime: BLANKS.time };
    const { amount, shortCode, firstName, middleName, lastName } = payment;
    const name = [firstName, middleName, lastName].filter((part) => part !== '').join(' ');
    return [JSON.stringify(message), amount, shortCode, message.MSISDN, name];
  });
  return [0, 1, 2, 3, 4].map((column) => made.map((values) => values[column] ?? ''));
}

/** What people type who remember a number wrongly, or have none. */
function strangers(): string[] {
  return Array.from({ length: STRANGERS }, (_, place) => `SHOP ${String(place + 1)}`);
}
