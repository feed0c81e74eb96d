import { query, read } from '../connection/handle.ts';
import type { Handle, Statement } from '../connection/handle.ts';
import { isUuid } from '../request.ts';

/** A receipt that M-PESA is to be asked about. */
export interface Inquiry {
  readonly id: string;
  readonly receipt: string;
  /** How often it was asked, this time included. */
  readonly attempts: number;
}

/** What is known of an inquiry: for whom its answer counts. */
export interface InquiryFacts {
  readonly receipt: string;
  /** The payment that the report was about; null for none of ours. */
  readonly payment: string | null;
  readonly phone: string | null;
  readonly status: 'OPEN' | 'PROVED' | 'REFUTED' | 'ENDED';
}

/** Takes inquiries that are due. One that was asked `most` times without an answer ends. */
export async function claimInquiries(
  db: Handle,
  { limit, leaseMs, most }: { readonly limit: number; readonly leaseMs: number; readonly most: number },
): Promise<Inquiry[]> {
  return query<Inquiry>(db, CLAIM, [limit, leaseMs, most]);
}

/** An inquiry by its id, or null. */
export async function findInquiry(db: Handle, id: string): Promise<InquiryFacts | null> {
  if (!isUuid(id)) return null;
  const row = await read(db.prisma.mpesaInquiry.findUnique({ where: { id } }));
  if (row === null) return null;
  const { receipt, paymentId, phone, status } = row;
  return { receipt, payment: paymentId, phone, status: status as InquiryFacts['status'] };
}

/** The payment that a report of this receipt was about, which proved nothing by itself; null for none of ours. */
export async function paymentOfInquiry(db: Handle, receipt: string): Promise<string | null> {
  const row = await read(db.prisma.mpesaInquiry.findUnique({ where: { receipt } }));
  return row?.paymentId ?? null;
}

/** Ends an inquiry whose receipt is not what it was said to be. */
export async function refuteInquiry(db: Handle, receipt: string, reason: string): Promise<void> {
  await query(db, CLOSE, [receipt, reason]);
}

const CLAIM: Statement = {
  name: 'inquiries_claim',
  text: `
SELECT id::text AS id, receipt, attempts
  FROM services.claim_inquiries($1::integer, $2::integer, $3::integer)`,
};

const CLOSE: Statement = {
  name: 'inquiry_close',
  text: `SELECT services.close_inquiry($1::text, 'REFUTED', $2::text)::text AS done`,
};
