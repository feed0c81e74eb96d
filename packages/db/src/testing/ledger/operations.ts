import { recordDeposit } from '../../deposits/record-deposits.ts';
import type { Handle } from '../../connection/handle.ts';
import { isDaftariError } from '../../errors.ts';
import { captureHold, hold, releaseHold } from '../../ledger/holds.ts';
import type { LedgerIntake } from '../../ledger/operation-intake.ts';
import { reverseTransaction } from '../../ledger/reversals.ts';
import { query } from '../../connection/handle.ts';
import { assignSuspense } from '../../ledger/assign-suspense.ts';
import { transfers } from '../../ledger/transfers.ts';
import { closeWallet, freezeWallet, unfreezeWallet } from '../../wallets/wallet-status.ts';
import { FAR_AHEAD, endEarly } from './late-holds.ts';
import { sampleDeposit } from '../deposits/sample-deposit.ts';

/** One transfer of a batch. */
export interface Payment {
  readonly key: string;
  readonly from: string;
  readonly to: string;
  readonly amount: string;
}

/** Something that is asked of the ledger, by its names and in its words. */
export type Operation =
  | { readonly kind: 'deposit'; readonly receipt: string; readonly account: string; readonly amount: string }
  | { readonly kind: 'transfers'; readonly payments: readonly Payment[] }
  | {
      readonly kind: 'hold';
      readonly key: string;
      readonly wallet: string;
      readonly amount: string;
      /** Its time is over as soon as it is placed. */
      readonly isLate: boolean;
    }
  | {
      readonly kind: 'capture';
      readonly key: string;
      readonly holdId: string;
      readonly to: string;
      readonly amount: string | null;
    }
  | { readonly kind: 'release'; readonly holdId: string }
  | { readonly kind: 'expire'; readonly holdId: string }
  | {
      readonly kind: 'reverse';
      readonly key: string;
      readonly reference: string;
      readonly amount: string | null;
    }
  | { readonly kind: 'assign'; readonly receipt: string; readonly wallet: string }
  | { readonly kind: 'status'; readonly wallet: string; readonly status: 'ACTIVE' | 'FROZEN' | 'CLOSED' };

/** What was answered: one record for each thing asked, a refusal as its code alone. */
export type Answer = Readonly<Record<string, unknown>>;

/** What an intake takes. */
type Door = Pick<
  LedgerIntake,
  'hold' | 'captureHold' | 'releaseHold' | 'reverseTransaction' | 'assignSuspense'
>;

/** Each by a call of its own. */
function doorOf(db: Handle): Door {
  return {
    hold: (request) => hold(db, request),
    captureHold: (request) => captureHold(db, request),
    releaseHold: (request) => releaseHold(db, request),
    reverseTransaction: (request) => reverseTransaction(db, request),
    assignSuspense: (request) => assignSuspense(db, request),
  };
}

/**
 * Asks the ledger. A refusal is an answer; what went wrong in another way is thrown, for the transaction to repeat.
 * A hold that goes through an intake is ended early by the maker of the intake, in the transaction of its batch.
 */
export async function perform(db: Handle, operation: Operation, intake?: Door): Promise<Answer[]> {
  try {
    if (intake !== undefined) return await ask(db, operation, intake);
    const answers = await ask(db, operation, doorOf(db));
    if (operation.kind === 'hold' && operation.isLate) await endEarly(db, String(answers[0]?.['id']));
    return answers;
  } catch (error) {
    // A refusal has no cause: the database did what it was told.
    if (isDaftariError(error) && error.cause === undefined) return [{ code: error.code }];
    throw error;
  }
}

async function ask(db: Handle, operation: Operation, door: Door): Promise<Answer[]> {
  switch (operation.kind) {
    case 'deposit': {
      const { receipt, account, amount } = operation;
      const result = await recordDeposit(
        db,
        sampleDeposit({ receipt, account, amount, body: Buffer.from('{}') }),
      );
      return [pick(result, ['outcome', 'reason', 'wallet', 'balanceAfter'])];
    }
    case 'transfers': {
      const requests = operation.payments.map(({ key, ...payment }) => ({ ...payment, idempotencyKey: key }));
      const results = await transfers(db, requests);
      return results.map((result) => (result.ok ? pick(result, POSTED) : { code: result.code }));
    }
    case 'hold': {
      const { key: idempotencyKey, wallet, amount, isLate } = operation;
      const placed = await door.hold({
        wallet,
        amount,
        idempotencyKey,
        ...(isLate && { expiresAt: FAR_AHEAD }),
      });
      return [pick(placed, HOLD)];
    }
    case 'capture': {
      const { key: idempotencyKey, holdId, to, amount } = operation;
      const posted = await door.captureHold({
        holdId,
        to,
        idempotencyKey,
        ...(amount !== null && { amount }),
      });
      return [{ ...pick(posted, POSTED), type: posted.type, hold: pick(posted.hold, HOLD) }];
    }
    case 'release':
      return [pick(await door.releaseHold(operation), HOLD)];
    case 'expire':
      return query<Answer>(db, EXPIRE, [operation.holdId]);
    case 'reverse': {
      const { key: idempotencyKey, reference, amount } = operation;
      const back = await door.reverseTransaction({
        reference,
        idempotencyKey,
        ...(amount !== null && { amount }),
      });
      return [{ ...pick(back, POSTED), remaining: back.remaining }];
    }
    case 'assign':
      return [pick(await door.assignSuspense(operation), POSTED)];
    case 'status':
    default: {
      const change = { ACTIVE: unfreezeWallet, FROZEN: freezeWallet, CLOSED: closeWallet }[operation.status];
      const wallet = await change(db, { wallet: operation.wallet, reason: 'the model test' });
      return [pick(wallet, ['status', 'balance', 'held'])];
    }
  }
}

const POSTED = ['reference', 'from', 'to', 'amount', 'fee', 'balanceAfter', 'replayed'] as const;
const HOLD = ['id', 'status', 'amount', 'feeHeld', 'captured', 'available', 'replayed'] as const;

function pick(from: object, names: readonly string[]): Answer {
  return Object.fromEntries(Object.entries(from).filter(([name]) => names.includes(name)));
}

// The step of expireHolds for one hold: which holds are due is read without a lock and belongs to no moment.
const EXPIRE = {
  name: 'test_expire',
  text: `SELECT outcome, coalesce(reason, '') AS reason FROM core.release_hold($1::uuid, 'EXPIRED')`,
};
