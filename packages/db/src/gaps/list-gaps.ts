import type { Handle } from '../connection/handle.ts';
import { DaftariError } from '../errors.ts';
import { formatCents } from '../money.ts';
import { findBalanceJumps } from './balance-jumps.ts';
import { readBalances, readHours, readMissed } from './gap-reads.ts';
import type { GapFrame } from './gap-reads.ts';
import { findSilences, WEEKS } from './silences.ts';

/**
 * Why money may have come in that nobody told us of: `balance_jump`, the organisation's balance rises by more than the payments;
 * `silence`, no payment in hours that are usually busy; `missed_callback`, a payment that was found by other means and credited.
 */
export type GapKind = 'balance_jump' | 'silence' | 'missed_callback';

/** A finding, and what to do about it. */
export interface Gap {
  readonly kind: GapKind;
  readonly shortCode: string;
  /** It lies between these moments: of the payments around it, of the silent hours, or when it was paid and found. */
  readonly from: Date;
  readonly to: Date;
  /** Decimal string of KES: at least so much is missing, or the amount of the payment; null for a silence. */
  readonly amount: string | null;
  /** How many payments are usual in a silence; null otherwise. */
  readonly usual: number | null;
  /** Of the payments around it, or of the payment. */
  readonly receipts: readonly string[];
  readonly advice: string;
}

export interface GapListRequest {
  /** When it happened; default: the day before `to`. At most 7 days. */
  readonly from?: Date;
  /** Default: now. */
  readonly to?: Date;
  readonly shortCode?: string;
  readonly kind?: GapKind;
  readonly cursor?: string;
  /** Findings a page, 1 to 1,000. Default: 50. */
  readonly limit?: number;
}

export interface GapPage {
  /** The latest first. */
  readonly items: readonly Gap[];
  /** For the next page; null on the last one. */
  readonly nextCursor: string | null;
}

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;
const LONGEST_MS = 7 * DAY_MS;

/** A payment of the last minutes of an hour may still be on its way. */
const GRACE_MS = 600_000;

const ADVICE: Readonly<Record<GapKind, string>> = {
  balance_jump:
    'Money came in that no callback told of. Pull the payments of the last 48 hours (mpesa:gaps --pull --heal), or import the statement of this time and reconcile it (mpesa:reconcile --heal).',
  silence:
    'No payment in hours that are usually busy. Run mpesa:doctor, look at the proxy and the registered URLs, and compare with the M-PESA portal; a holiday is no fault. Then pull the payments (mpesa:gaps --pull --heal) or reconcile.',
  missed_callback:
    'The payment is recorded; its callback never came. Nothing is to be done about the money. Where there are many, find out what stands between M-PESA and the service (mpesa:doctor).',
};

/**
 * Finds where payments may be missing, worked out from what is recorded now: a payment that comes or is healed later closes its
 * gap. It reads every payment of the period, and of the same hours of four weeks before.
 *
 * @throws DaftariError `invalid_request` naming the field
 */
export async function findGaps(
  db: Handle,
  request: Pick<GapListRequest, 'from' | 'kind' | 'shortCode' | 'to'> = {},
): Promise<Gap[]> {
  const { to = new Date(), kind, shortCode = null } = request;
  const from = request.from ?? new Date(to.getTime() - DAY_MS);
  const spanMs = to.getTime() - from.getTime();
  if (!(spanMs > 0 && spanMs <= LONGEST_MS)) throw new DaftariError('invalid_request', { field: 'from' });
  const frame = { from, to, shortCode };
  const found: Gap[] = [];
  for (const [each, find] of FINDERS) {
    if (kind === undefined || kind === each) found.push(...(await find(db, frame)));
  }
  return found.toSorted((one, other) => compare(placeOf(other), placeOf(one)));
}

/** The findings page by page. @throws DaftariError `invalid_request` naming the field */
export async function listGaps(db: Handle, request: GapListRequest = {}): Promise<GapPage> {
  const { cursor, limit: asked = 50 } = request;
  if (!Number.isInteger(asked)) throw new DaftariError('invalid_request', { field: 'limit' });
  if (cursor !== undefined && !/^\d{15} [a-z_]+ \S* \S*$/.test(cursor))
    throw new DaftariError('invalid_request', { field: 'cursor' });
  const limit = Math.min(Math.max(asked, 1), 1_000);
  const gaps = await findGaps(db, request);
  const rest = cursor === undefined ? gaps : gaps.filter((gap) => placeOf(gap) < cursor);
  const items = rest.slice(0, limit);
  const last = items.at(-1);
  return { items, nextCursor: rest.length > limit && last !== undefined ? placeOf(last) : null };
}

type Finder = (db: Handle, frame: GapFrame) => Promise<Gap[]>;

const FINDERS: readonly (readonly [GapKind, Finder])[] = [
  ['balance_jump', jumpsIn],
  ['silence', silencesIn],
  ['missed_callback', missedIn],
];

async function jumpsIn(db: Handle, frame: GapFrame): Promise<Gap[]> {
  const payments = await readBalances(db, frame);
  return [...Map.groupBy(payments, ({ shortCode }) => shortCode)].flatMap(([shortCode, own]) =>
    findBalanceJumps(own).map(({ after, before, missing }) =>
      gapOf('balance_jump', {
        shortCode,
        from: new Date(after.atMs),
        to: new Date(before.atMs),
        amount: formatCents(missing),
        receipts: [after.receipt, before.receipt],
      }),
    ),
  );
}

async function silencesIn(db: Handle, frame: GapFrame): Promise<Gap[]> {
  const first = Math.ceil(frame.from.getTime() / HOUR_MS);
  const end = Math.min(frame.to.getTime(), Date.now() - GRACE_MS);
  const last = Math.floor(end / HOUR_MS) - 1;
  if (last < first) return [];
  const counts = [];
  for (let week = 0; week <= WEEKS; week += 1) {
    const backMs = week * 7 * DAY_MS;
    counts.push(
      ...(await readHours(db, {
        ...frame,
        from: new Date(first * HOUR_MS - backMs),
        to: new Date((last + 1) * HOUR_MS - backMs),
      })),
    );
  }
  return findSilences(counts, { first, last }).map((silence) =>
    gapOf('silence', {
      shortCode: silence.shortCode,
      from: new Date(silence.first * HOUR_MS),
      to: new Date((silence.last + 1) * HOUR_MS),
      usual: silence.usual,
    }),
  );
}

async function missedIn(db: Handle, frame: GapFrame): Promise<Gap[]> {
  return (await readMissed(db, frame)).map(({ shortCode, receipt, amount, paidAt, foundAt }) =>
    gapOf('missed_callback', { shortCode, from: paidAt, to: foundAt, amount, receipts: [receipt] }),
  );
}

function gapOf(kind: GapKind, facts: Pick<Gap, 'from' | 'shortCode' | 'to'> & Partial<Gap>): Gap {
  return { kind, amount: null, usual: null, receipts: [], advice: ADVICE[kind], ...facts };
}

/** Sorts by time; two findings are never at the same place. */
function placeOf({ kind, shortCode, to, receipts }: Gap): string {
  return `${String(to.getTime()).padStart(15, '0')} ${kind} ${shortCode} ${receipts.at(-1) ?? ''}`;
}

function compare(one: string, other: string): number {
  return one < other ? -1 : one > other ? 1 : 0;
}
