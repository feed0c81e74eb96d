import type { BookedEvent, BookedPayment } from '../daraja/book.ts';
import { OUTCOMES } from '../daraja/outcomes.ts';
import type { Prompt } from '../daraja/prompts.ts';
import type { DarajaSimulator } from '../daraja/server.ts';

/** How the page learns what the services made of a payment. What is absent is not shown. */
export interface Watch {
  /** What the service says of a deposit, in words; null if it knows none. */
  readonly deposit?: (receipt: string) => Promise<string | null>;
  /** The texts that reached a phone, oldest first. */
  readonly messages?: (phone: string) => readonly string[];
  /** Has the service ask for a payment; what it answered, in words. */
  readonly ask?: (request: { phone: string; account: string; amount: string }) => Promise<Said>;
}

/** An answer in words. */
export interface Said {
  readonly said: string;
  readonly isRefused?: boolean;
}

/** One payment or one question, as the page shows it. */
interface ShownEvent {
  readonly what: string;
  readonly hasFailed: boolean;
  readonly lines: readonly string[];
}

/** What the page shows of one phone, newest first. */
export interface PhoneState {
  readonly shortCode: string;
  readonly prompt: { id: string; amount: string; reference: string; name: string } | null;
  readonly endings: readonly string[];
  readonly events: readonly ShownEvent[];
  readonly messages: readonly string[];
}

/** How much the page shows. */
const MOST = 20;

export async function stateOf(daraja: DarajaSimulator, watch: Watch, phone: string): Promise<PhoneState> {
  const prompts = daraja.prompts().filter(({ request }) => request.phone === phone);
  const open = prompts.find(({ outcome }) => outcome === null);
  const payments = daraja.book().payments.filter((payment) => payment.phone === phone);
  const ended = prompts.filter(({ outcome, receipts }) => outcome !== null && receipts.length === 0);
  const events = [
    ...payments.map((payment) => ({ at: payment.paidAt, show: () => paymentEvent(payment, watch) })),
    ...ended.map((prompt) => ({ at: prompt.askedAt, show: () => Promise.resolve(endedEvent(prompt)) })),
  ];
  const newest = events.toSorted((one, other) => other.at.getTime() - one.at.getTime()).slice(0, MOST);
  return {
    shortCode: daraja.shortCode,
    prompt: open === undefined ? null : promptOf(daraja, open),
    endings: Object.keys(OUTCOMES),
    events: await Promise.all(newest.map(({ show }) => show())),
    messages: (watch.messages?.(phone) ?? []).toReversed().slice(0, MOST),
  };
}

function promptOf({ name }: DarajaSimulator, { ids, request: { amount, reference } }: Prompt) {
  return { id: ids.CheckoutRequestID, amount, reference, name };
}

async function paymentEvent(payment: BookedPayment, watch: Watch): Promise<ShownEvent> {
  const { receipt, amount, account, kind, events } = payment;
  const how = kind === 'stk' ? 'by PIN on a request' : 'by Pay Bill';
  const deposit = (await watch.deposit?.(receipt)) ?? null;
  return {
    what: `${receipt}: KES ${amount} to account ${account} ${how}`,
    hasFailed: false,
    lines: [...events.map(lineOf), ...(deposit === null ? [] : [`Deposit: ${deposit}`])],
  };
}

function endedEvent({ outcome, request, events }: Prompt): ShownEvent {
  const { code, texts } = OUTCOMES[outcome ?? 'no-answer'];
  return {
    what: `KES ${request.amount} to account ${request.reference} was not paid: ${texts[0]} (${String(code)})`,
    hasFailed: true,
    lines: events.map(lineOf),
  };
}

const KINDS: Readonly<Record<BookedEvent['kind'], string>> = {
  callback: 'STK callback',
  confirmation: 'C2B confirmation',
  validation: 'C2B validation',
  result: 'Result',
};

function lineOf({ kind, copies, answers, said }: BookedEvent): string {
  if (copies === 0) return `${KINDS[kind]}: dropped on the way`;
  if (answers.length === 0) return `${KINDS[kind]}: on its way`;
  const statuses = answers.map((status) => (status === null ? 'no answer' : `HTTP ${String(status)}`));
  return `${KINDS[kind]}: ${statuses.join(', ')}${said === '' ? '' : ` ${said}`}`;
}
