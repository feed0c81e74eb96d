import { verificationHash } from '@repo/db';
import type { Deposit } from '@repo/db';
import { Client } from 'pg';
import { auditDeposits } from '../audit/deposits.ts';
import { depositsWork } from './deposits-work.ts';
import type { Work } from './deposits-work.ts';
import { measureFloor } from './floor.ts';
import type { Workbench } from './workbench.ts';

const STATEMENTS = ['textbook', 'record_deposits', 'floor'] as const;

/** What raw SQL does on one connection that has nothing else to do: `batch` deposits at a time, one after the other. */
export interface Ceiling {
  readonly statements: (typeof STATEMENTS)[number];
  readonly batch: number;
  /** The callers of the package that it is compared with: as many as fill the batch. */
  readonly callers: number;
  readonly perSecond: number;
}

/** The largest batch that the intake makes. */
const LARGEST_BATCH = 1_000;

/** Measures the ceilings to be compared with so many callers; the textbook's only has one deposit at a time. */
export async function measureCeilings(bench: Workbench, callers: number): Promise<Ceiling[]> {
  const batch = Math.min(callers, LARGEST_BATCH);
  const measured: Ceiling[] = [];
  for (const statements of callers === 1
    ? (['textbook', 'record_deposits'] as const)
    : (['record_deposits'] as const)) {
    bench.say(`raw SQL, ${statements}, ${String(batch)} at a time`);
    const perSecond = await measureCeiling(bench, { statements, batch });
    measured.push({ statements, batch, callers, perSecond });
  }
  if (callers >= LARGEST_BATCH) {
    bench.say('raw SQL, the rows alone');
    measured.push({ statements: 'floor', batch, callers, perSecond: await measureFloor(bench, batch) });
  }
  return measured;
}

/**
 * Deposits per second. All parameters are built before the clock runs; how many are needed is known from the
 * warm-up, and the window ends early should they not suffice.
 */
export async function measureCeiling(
  { databases, payments, pace }: Workbench,
  { statements, batch }: { readonly statements: 'textbook' | 'record_deposits'; readonly batch: number },
): Promise<number> {
  const kind = statements === 'textbook' ? 'textbook' : 'ledger';
  let place = 0;
  const build = (): Work => {
    const deposits = Array.from({ length: batch }, (_, offset) => payments.at(place + offset));
    place += batch;
    return statements === 'textbook' ? deposits.flatMap(textbookWork) : depositsWork(deposits);
  };
  return databases.withFresh(kind, async (url) => {
    const client = new Client({ connectionString: url });
    await client.connect();
    try {
      const warm = await repeat(client, build, pace.warmUp);
      const wanted = Math.ceil(((warm.done / warm.busyMs) * pace.window * 3) / 2) + 1;
      const prebuilt = Array.from({ length: wanted }, build).values();
      const measured = await repeat(client, () => prebuilt.next().value, pace.window);
      await auditDeposits(url, kind, { acknowledged: (warm.done + measured.done) * batch, failed: 0 });
      return (measured.done * batch * 1_000) / measured.busyMs;
    } finally {
      await client.end();
    }
  });
}

/** Works off what `next` gives until the time is over or there is no more. Only the work counts as time. */
async function repeat(client: Client, next: () => Work | undefined, forMs: number) {
  let busyMs = 0;
  for (let done = 0; ; done += 1) {
    const work = busyMs < forMs ? next() : undefined;
    if (work === undefined) return { done, busyMs };
    const begun = performance.now();
    for (const statement of work) await client.query(statement);
    busyMs += performance.now() - begun;
  }
}

/** The textbook's find, create, create and update between BEGIN and COMMIT, as Prisma sends them. */
function textbookWork(deposit: Deposit): Work {
  const { receipt, amount, account } = deposit;
  const createdAt = new Date();
  const time = createdAt.toISOString().slice(0, -1);
  const hash = verificationHash({ reference: receipt, amount, createdAt });
  const payload = Buffer.from(deposit.callback.body).toString('utf8');
  return [
    { name: 'begin', text: 'BEGIN' },
    { name: 'find', text: FIND_LOG, values: [receipt] },
    { name: 'create_log', text: CREATE_LOG, values: [receipt, deposit.payer.phone, amount, payload] },
    { name: 'create_transaction', text: CREATE_TRANSACTION, values: [receipt, account, amount, time, hash] },
    { name: 'update', text: UPDATE_WALLET, values: [amount, account] },
    { name: 'commit', text: 'COMMIT' },
  ];
}

// What Prisma was seen to send, with its lists of all columns written as an asterisk.
const FIND_LOG = 'SELECT * FROM services.mpesa_logs WHERE mpesa_receipt = $1 LIMIT 1';

const CREATE_LOG = `
INSERT INTO services.mpesa_logs (mpesa_receipt, phone, amount, raw_payload)
VALUES ($1, $2, $3, $4)
RETURNING *`;

const CREATE_TRANSACTION = `
INSERT INTO core.transactions (
    reference, type, debit_wallet_id, credit_wallet_id, amount, created_at, verification_hash,
    debit_version, debit_balance_after, credit_version, credit_balance_after, xact_id
)
VALUES ($1, 'DEPOSIT', 'MPESA-FLOAT', $2, $3, $4, $5, 0, 0, 0, 0, 0)
RETURNING *`;

const UPDATE_WALLET = `
UPDATE core.wallets SET balance = balance + $1::numeric WHERE id = $2
RETURNING *`;
