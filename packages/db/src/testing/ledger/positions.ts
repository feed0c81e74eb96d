import type { Db } from '../../connection/db.ts';
import type { Handle } from '../../connection/handle.ts';
import { createLedgerIntake } from '../../ledger/operation-intake.ts';
import { query } from '../../connection/handle.ts';
import { transaction } from '../../connection/transaction.ts';
import { endEarly } from './late-holds.ts';
import { perform } from './operations.ts';
import type { Answer, Operation } from './operations.ts';

/** What was asked, what was answered, and its place in the order of the ledger. */
export interface Event {
  readonly operation: Operation;
  readonly answers: readonly Answer[];
  readonly position: number;
  /** When it was asked and when it was answered, in milliseconds. */
  readonly begun: number;
  readonly ended: number;
}

/**
 * Asks in a transaction of its own and draws a position just before its COMMIT.
 *
 * Why the positions are an order in which a single clerk could have worked: every operation locks the wallets that it
 * reads or changes, and writes its key, before it draws its position, and keeps both until it has committed. Of two
 * that share a wallet or a key the second one therefore gets on only after the first has committed, and draws the
 * larger number. Two that share neither do not see each other, and either may come first. (An assignment that finds no
 * payment has shared nothing with the payment that comes meanwhile: see `inOrder`.)
 */
export async function askAt(db: Db, operation: Operation): Promise<Event> {
  const begun = performance.now();
  const asked = await transaction(db, async (tx) => {
    const answers = await perform(tx, operation);
    return { operation, answers, position: await nextPosition(tx) };
  });
  return { ...asked, begun, ended: performance.now() };
}

/**
 * The events in the order of the ledger. An assignment that found no payment changes nothing and comes before the
 * payment, if it was asked before that was answered.
 */
export function inOrder(events: readonly Event[]): Event[] {
  const paid = new Map<string, Event>();
  for (const event of events.toSorted((one, two) => two.position - one.position))
    if (event.operation.kind === 'deposit') paid.set(event.operation.receipt, event);
  const placeOf = ({ operation, answers: [answer], position, begun }: Event): number => {
    if (operation.kind !== 'assign' || answer?.['code'] !== 'unknown_transaction') return position;
    const payment = paid.get(operation.receipt);
    if (payment === undefined || begun > payment.ended) return position;
    return Math.min(position, payment.position - 0.000_1);
  };
  return events.toSorted((one, two) => placeOf(one) - placeOf(two));
}

/** An intake whose batches draw a position each, as `askAt` does; within one they are in the order of the batch. */
export interface PositionedIntake {
  ask(operation: Operation): Promise<Event>;
  close(): Promise<void>;
  /** How many went together at most. */
  readonly largest: number;
}

export function openPositionedIntake(db: Db): PositionedIntake {
  // They go in the order in which they were asked, one batch after the other.
  const asked: { operation: Operation; position: number }[] = [];
  let settled = 0;
  let largest = 0;
  const isLate = (place: number) => {
    const operation = asked[place]?.operation;
    return operation?.kind === 'hold' && operation.isLate;
  };
  const handle: Handle = {
    prisma: db.prisma,
    form: db.form,
    async run(statement, values) {
      // What wakes the senders of messages is no operation.
      if (statement.name === 'sms_wake') return db.run(statement, values);
      const { rows, position } = await transaction(db, async (tx) => {
        const done = (await tx.run(statement, values)) as { ord: number; hold_id: string | null }[];
        for (const { ord, hold_id: id } of done)
          if (id !== null && isLate(settled + ord - 1)) await endEarly(tx, id);
        return { rows: done, position: await nextPosition(tx) };
      });
      for (const { ord } of rows) {
        const entry = asked[settled + ord - 1];
        if (entry !== undefined) entry.position = position + ord / 1_000;
      }
      settled += rows.length;
      largest = Math.max(largest, rows.length);
      return rows;
    },
  };
  const intake = createLedgerIntake(handle);
  return {
    async ask(operation) {
      const entry = { operation, position: Number.NaN };
      const begun = performance.now();
      asked.push(entry);
      const answers = await perform(handle, operation, intake);
      return { operation, answers, position: entry.position, begun, ended: performance.now() };
    },
    close: () => intake.close(),
    get largest() {
      return largest;
    },
  };
}

async function nextPosition(tx: Handle): Promise<number> {
  const [row] = await query<{ position: string }>(tx, NEXT, []);
  return Number(row?.position);
}

const NEXT = { name: 'next_position', text: `SELECT nextval('positions')::text AS position` };
