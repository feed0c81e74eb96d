import { findKnownPayments, listCallbacks } from '@repo/db';
import type { Deposit, DepositIntake, DepositResult, Handle, KnownPayment } from '@repo/db';
import type { Daraja } from '../daraja/client.ts';
import type { PulledRow } from '../daraja/pull-answer.ts';
import { clockOffset } from './pull-clock.ts';

/** The Pull API reaches so far back; a little less, for its clock is not ours. */
export const REACH_MS = 48 * 3_600_000 - 60_000;

/** A callback may still be on its way: younger payments are left for the next time. */
const GRACE_MS = 120_000;

/** More pages than a day of the busiest short code has: an answer that never ends is given up. */
const MOST_PAGES = 5_000;

export interface PullOrder {
  /** Of the organisation; for a till the number of its store. */
  readonly shortCode: string;
  /** What confirmations name as the short code: the till. */
  readonly receiver: string;
  readonly from: Date;
  readonly to: Date;
  /** Records what is missing; null only finds it. */
  readonly intake: DepositIntake | null;
}

/** A payment that M-PESA has and we have not. */
export interface MissingPayment {
  readonly receipt: string;
  readonly amount: string;
  readonly paidAt: Date;
  /** What became of it; null when it was only found. */
  readonly outcome: DepositResult['outcome'] | null;
}

export type Pulled =
  | {
      readonly kind: 'pulled';
      readonly rows: number;
      /** Rows without a receipt, an amount or a time that can be read. */
      readonly unreadable: number;
      readonly missing: readonly MissingPayment[];
      /** Receipts that are recorded with another amount or short code. */
      readonly differing: readonly string[];
    }
  /** M-PESA's code and text. What was recorded before that stays. */
  | { readonly kind: 'failed'; readonly code: string; readonly text: string };

/**
 * Compares the payments that M-PESA has of a period with those that are recorded, and records what is missing through the door
 * that callbacks go through: the receipt is the key, so a callback that comes at the same time or later credits nothing more.
 */
export async function pullPayments(
  { db, daraja }: { readonly db: Handle; readonly daraja: Daraja },
  { shortCode, receiver, from, to, intake }: PullOrder,
): Promise<Pulled> {
  const all = await pullRows(daraja, { shortCode, from, to });
  if (all.kind === 'failed') return all;
  const { rows } = all;
  const known = await knownOf(db, rows);
  const offsetMs = clockOffset(rows, { known, from, to });
  const youngest = Date.now() - GRACE_MS;
  const unknown = rows.filter(
    ({ receipt, writtenMs }) => !known.has(receipt) && writtenMs - offsetMs <= youngest,
  );
  const differing = rows.filter((row) => differs(row, receiver, known.get(row.receipt)));
  const depositOf = (row: PulledRow) => pulledDeposit(row, { shortCode: receiver, offsetMs });
  const missing = await Promise.all(
    unknown.map(async (row) => ({
      receipt: row.receipt,
      amount: row.amount,
      paidAt: new Date(row.writtenMs - offsetMs),
      outcome: intake === null ? null : (await intake.record(depositOf(row))).outcome,
    })),
  );
  if (intake !== null) {
    for (const row of differing) {
      if (!(await isContradicted(db, row.receipt))) await intake.record(depositOf(row));
    }
  }
  return {
    kind: 'pulled',
    rows: rows.length,
    unreadable: all.unreadable,
    missing,
    differing: differing.map(({ receipt }) => receipt),
  };
}

type Rows =
  | { readonly kind: 'rows'; readonly rows: readonly PulledRow[]; readonly unreadable: number }
  | Extract<Pulled, { kind: 'failed' }>;

/** All pages. A row that stands on two of them, because others came meanwhile, counts once. */
async function pullRows(
  daraja: Daraja,
  period: { readonly shortCode: string; readonly from: Date; readonly to: Date },
): Promise<Rows> {
  const rows = new Map<string, PulledRow>();
  let offset = 0;
  let unreadable = 0;
  for (let page = 0; page < MOST_PAGES; page += 1) {
    const answer = await daraja.pull({ ...period, offset });
    if (answer.kind !== 'page') return { kind: 'failed', code: answer.code, text: answer.text };
    const before = rows.size;
    for (const row of answer.rows) rows.set(row.receipt, row);
    unreadable += answer.size - answer.rows.length;
    offset += answer.size;
    // A page without news is the end, also where M-PESA does not mind the offset.
    if (rows.size === before) return { kind: 'rows', rows: [...rows.values()], unreadable };
  }
  return { kind: 'failed', code: 'too_many_pages', text: 'M-PESA sends page after page without an end.' };
}

const BATCH = 1_000;

async function knownOf(db: Handle, rows: readonly PulledRow[]): Promise<Map<string, KnownPayment>> {
  const known = new Map<string, KnownPayment>();
  for (let start = 0; start < rows.length; start += BATCH) {
    const batch = rows.slice(start, start + BATCH).map(({ receipt }) => receipt);
    for (const [receipt, payment] of await findKnownPayments(db, batch)) known.set(receipt, payment);
  }
  return known;
}

function differs(row: PulledRow, shortCode: string, known: KnownPayment | undefined): boolean {
  if (known === undefined) return false;
  return known.amount !== row.amount || (known.shortCode ?? shortCode) !== shortCode;
}

/** Whether the contradiction was written down before: it is not repeated with each pull. */
async function isContradicted(db: Handle, receipt: string): Promise<boolean> {
  const { items } = await listCallbacks(db, { receipt, outcome: 'CONFLICT', withDecided: true });
  return items.some(({ kind }) => kind === 'PULL');
}

function pulledDeposit(
  { receipt, amount, account, writtenMs, msisdn, source }: PulledRow,
  { shortCode, offsetMs }: { readonly shortCode: string; readonly offsetMs: number },
): Deposit {
  return {
    receipt,
    amount,
    shortCode,
    account,
    paidAt: new Date(writtenMs - offsetMs),
    payer: { ...msisdn, name: null },
    callback: { kind: 'PULL', source: null, body: Buffer.from(source), payload: null },
  };
}
