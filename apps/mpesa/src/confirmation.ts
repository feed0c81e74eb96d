import type { Deposit, DepositIntake } from '@repo/db';
import type { Callback } from './callback.ts';
import { recordOrKeep } from './deposit-outcome.ts';
import { parseC2b } from './parse-c2b.ts';
import type { C2bMessage } from './parse-c2b.ts';
import { quarantine } from './quarantine.ts';
import type { CallbackContext } from './quarantine.ts';

export interface ConfirmationContext extends CallbackContext {
  readonly intake: DepositIntake;
}

/**
 * Takes in the report of a payment. It resolves when the report is committed, whatever came of it (credited,
 * duplicate, suspense, held, conflict, refused, quarantined, failed): the money has moved already, so there is nothing to refuse.
 * It throws a 503 problem only when nothing could be stored.
 */
export async function takeConfirmation(context: ConfirmationContext, callback: Callback): Promise<void> {
  const parsed = parseC2b(callback.body.bytes);
  if (!parsed.ok) return quarantine(context, callback, parsed);
  const { message } = parsed;
  const { receipt } = message;
  const { source, body } = callback;
  const record = () => context.intake.record(depositOf(message, { source, body: body.bytes }));
  await recordOrKeep(context, { callback, receipt, record });
}

/** The payment that a message reports. */
export function depositOf(
  message: C2bMessage,
  { source, body }: { readonly source: string | null; readonly body: Uint8Array },
): Deposit {
  return {
    receipt: message.receipt,
    amount: message.amount,
    shortCode: message.shortCode,
    account: message.account,
    paidAt: message.paidAt,
    payer: { ...message.msisdn, name: message.name },
    callback: {
      kind: 'C2B_CONFIRMATION',
      source,
      body,
      payload: message.payload,
    },
  };
}
