import { arrayLiteral } from '../connection/array-literal.ts';
import type { LaneOptions } from '../connection/group-commit.ts';
import { query } from '../connection/handle.ts';
import type { Handle, Statement } from '../connection/handle.ts';
import { batchValues, DEPOSIT_COLUMNS, requireValid } from '../deposits/deposit-batch.ts';
import { numberIn } from '../deposits/deposit-intake.ts';
import type { Deposit, DepositOptions, DepositResult } from '../deposits/deposit.ts';
import { depositResults } from '../deposits/record-deposits.ts';
import type { DepositRow } from '../deposits/record-deposits.ts';
import { laneOf } from '../lanes.ts';
import { createTellingGroup } from '../sms/wake-after-commit.ts';

/** A receipt of a payment that we asked for, or one that M-PESA proved to us. */
export interface PaymentReceipt {
  /** Its account is the wallet's number, so that it goes where the payment was asked for. */
  readonly deposit: Deposit;
  /** The payment that it settles; null for none. */
  readonly payment: string | null;
  readonly merchantRequestId: string | null;
  readonly checkoutRequestId: string | null;
}

/**
 * Records receipts in one database transaction, as `recordDeposits` does, and settles their payments in it: the first
 * receipt makes a payment PAID, whatever was thought of it; what contradicts is flagged.
 *
 * @throws DaftariError as `recordDeposits` does
 */
export async function recordPayments(
  db: Handle,
  receipts: readonly PaymentReceipt[],
  options: DepositOptions = {},
): Promise<DepositResult[]> {
  const deposits = receipts.map(({ deposit }) => deposit);
  deposits.forEach(requireValid);
  if (deposits.length === 0) return [];
  const column = (pick: (receipt: PaymentReceipt) => string | null) => arrayLiteral(receipts.map(pick));
  const rows = await query<DepositRow>(db, RECORD_PAYMENTS, [
    column((each) => each.payment),
    column((each) => each.merchantRequestId),
    column((each) => each.checkoutRequestId),
    ...batchValues(deposits, options),
  ]);
  return depositResults(rows, deposits);
}

export interface PaymentIntake {
  /** Resolves after the commit; throws as `recordPayments` does, and `queue_full` or `intake_closed`. */
  record(receipt: PaymentReceipt): Promise<DepositResult>;
  /** Accepts nothing new, and waits until everything accepted is recorded. */
  close(): Promise<void>;
  /** Receipts taken and not yet answered. */
  readonly depth: number;
}

/** Group commit of receipts, as `createDepositIntake` is for deposits. */
export function createPaymentIntake(
  db: Handle,
  { maxAmount, ...commit }: LaneOptions & DepositOptions = {},
): PaymentIntake {
  const limit = maxAmount === undefined ? {} : { maxAmount };
  const group = createTellingGroup<PaymentReceipt, DepositResult>(
    db,
    {
      run: (receipts) => recordPayments(db, receipts, limit),
      failure: 'deposit_failed',
      laneOf: ({ deposit }) => laneOf(numberIn(deposit.account)),
    },
    commit,
  );
  return {
    async record(receipt) {
      requireValid(receipt.deposit);
      return group.submit(receipt);
    },
    close: () => group.close(),
    get depth() {
      return group.depth;
    },
  };
}

const RECORD_PAYMENTS: Statement = {
  name: 'record_payments',
  text: `
SELECT ${DEPOSIT_COLUMNS}
  FROM services.record_payments(
    $1::uuid[], $2::text[], $3::text[],
    $4::text[], $5::numeric[], $6::text[], $7::text[], $8::timestamp[], $9::text[], $10::text[], $11::text[],
    $12::text[], $13::text[], $14::text[], $15::integer[], $16::integer[], $17::bytea, $18::numeric
  )`,
};
