import { read } from '../connection/handle.ts';
import type { Handle } from '../connection/handle.ts';
import { DaftariError } from '../errors.ts';
import type { MpesaPayment, Prisma } from '../generated/client.ts';
import { isUuid } from '../request.ts';
import type { Payment, PaymentEvent, PaymentStatus } from './payment.ts';

/** A payment by its id, or null. */
export async function findPayment(db: Handle, id: string): Promise<Payment | null> {
  if (!isUuid(id)) return null;
  const row = await read(db.prisma.mpesaPayment.findUnique({ where: { id } }));
  return row === null ? null : paymentOf(row);
}

/** The payment that M-PESA calls by this CheckoutRequestID, or null where none or several are. */
export async function findPaymentByCheckout(db: Handle, checkoutRequestId: string): Promise<Payment | null> {
  const rows = await read(db.prisma.mpesaPayment.findMany({ where: { checkoutRequestId }, take: 2 }));
  const [row] = rows;
  return row === undefined || rows.length > 1 ? null : paymentOf(row);
}

/** What happened to a payment, the earliest first. */
export async function paymentEvents(db: Handle, id: string): Promise<PaymentEvent[]> {
  const rows = await read(
    db.prisma.mpesaPaymentEvent.findMany({
      where: { paymentId: id },
      orderBy: { place: 'asc' },
    }),
  );
  return rows.map(({ kind, status, reason, resultCode, receipt, createdAt }) => {
    return { kind, status: status as PaymentStatus, reason, resultCode, receipt, at: createdAt };
  });
}

export interface PaymentListRequest {
  readonly status?: PaymentStatus;
  /** Only those about which something contradicts something else. */
  readonly flagged?: boolean;
  readonly wallet?: string;
  readonly cursor?: string;
  /** Payments a page, 1 to 200. Default: 50. */
  readonly limit?: number;
}

export interface PaymentPage {
  /** The latest first. */
  readonly payments: readonly Payment[];
  /** For the next page; null on the last one. */
  readonly nextCursor: string | null;
}

/**
 * Payments that were asked for, page by page.
 *
 * @throws DaftariError `invalid_request` naming the field
 */
export async function listPayments(db: Handle, request: PaymentListRequest = {}): Promise<PaymentPage> {
  const { status, flagged, wallet, cursor } = request;
  if (cursor !== undefined && !isUuid(cursor)) throw new DaftariError('invalid_request', { field: 'cursor' });
  const limit = Math.min(Math.max(request.limit ?? 50, 1), 200);
  const where: Prisma.MpesaPaymentWhereInput = {
    ...(status === undefined ? {} : { status }),
    ...(flagged === undefined ? {} : { isFlagged: flagged }),
    ...(wallet === undefined ? {} : { walletId: wallet }),
    ...(cursor === undefined ? {} : { id: { lt: cursor } }),
  };
  const rows = await read(
    db.prisma.mpesaPayment.findMany({ where, orderBy: { id: 'desc' }, take: limit + 1 }),
  );
  const payments = rows.slice(0, limit).map(paymentOf);
  return { payments, nextCursor: rows.length > limit ? (payments.at(-1)?.id ?? null) : null };
}

function paymentOf(row: MpesaPayment): Payment {
  const { walletId, status, amount, ...rest } = row;
  return {
    id: rest.id,
    status: status as PaymentStatus,
    wallet: walletId,
    amount: amount.toFixed(2),
    phone: rest.phone,
    reference: rest.reference,
    description: rest.description,
    shortCode: rest.shortCode,
    reason: rest.reason,
    resultCode: rest.resultCode,
    merchantRequestId: rest.merchantRequestId,
    checkoutRequestId: rest.checkoutRequestId,
    receipt: rest.receipt,
    isFlagged: rest.isFlagged,
    attempts: rest.attempts,
    checks: rest.checks,
    createdAt: rest.createdAt,
    updatedAt: rest.updatedAt,
  };
}
