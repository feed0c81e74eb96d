import { setTimeout as sleep } from 'node:timers/promises';
import { eatDigits } from '../eat-clock.ts';
import type { Random } from '../random.ts';
import type { BookedEvent, OpenPayment } from './book.ts';
import type { Context } from './context.ts';
import { confirmPayment } from './confirmation.ts';
import { drawPlan, happens } from './deliveries.ts';
import { outcomeOf } from './outcomes.ts';
import type { OutcomeName } from './outcomes.ts';
import type { StkBehaviour } from './settings.ts';
import { callbackBody } from './stk-callback.ts';
import type { PromptIds } from './stk-callback.ts';
import type { StkRequest } from './stk-request.ts';

/** A question on a phone, and what became of it. */
export interface Prompt {
  readonly ids: PromptIds;
  readonly request: StkRequest;
  readonly askedAt: Date;
  /** Null while it is open. */
  readonly outcome: OutcomeName | null;
  /** The payments that it made. */
  readonly receipts: readonly string[];
  /** Callbacks; those of payments are in the book as well. */
  readonly events: readonly BookedEvent[];
}

interface OpenPrompt extends Prompt {
  outcome: OutcomeName | null;
  readonly receipts: string[];
  readonly events: BookedEvent[];
  readonly behaviour: StkBehaviour;
  readonly random: Random;
}

export interface Prompts {
  /** Takes a request; null while another prompt is open on that phone. */
  open(request: StkRequest, behaviour: StkBehaviour): OpenedPrompt | null;
  find(checkoutRequestId: string): Prompt | null;
  /**
   * Answers an open prompt as its payer, by its CheckoutRequestID or the phone. Resolves when the events were sent.
   * Throws `RangeError` if no such prompt is open.
   */
  answer(idOrPhone: string, outcome: OutcomeName): Promise<void>;
  readonly all: readonly Prompt[];
  /** Resolves when no outcome is under way; prompts that wait for a person stay open. */
  settled(): Promise<void>;
}

export interface OpenedPrompt {
  readonly prompt: Prompt;
  /** Lets the behaviour take its course: the outcome, after its delay, and its events. */
  readonly begin: () => Promise<void>;
}

export function createPrompts(context: Context): Prompts {
  const prompts = new Map<string, OpenPrompt>();
  const openPhones = new Map<string, OpenPrompt>();
  const underWay = new Set<Promise<void>>();

  function open(request: StkRequest, behaviour: StkBehaviour): OpenedPrompt | null {
    if (openPhones.has(request.phone)) return null;
    const thing = `prompt ${request.phone} ${request.amount} ${request.reference}`;
    const random = context.chance.of(`${thing} ${String(context.chance.occurrence(thing))}`);
    const ids = idsOf(request, context.now(), random);
    const askedAt = context.now();
    const told = { receipts: [], events: [] };
    const prompt: OpenPrompt = { ids, request, askedAt, outcome: null, behaviour, random, ...told };
    prompts.set(ids.CheckoutRequestID, prompt);
    openPhones.set(request.phone, prompt);
    return { prompt, begin: () => begin(prompt) };
  }

  function track(work: Promise<void>): Promise<void> {
    const tracked = work.finally(() => underWay.delete(tracked));
    underWay.add(tracked);
    return tracked;
  }

  async function begin(prompt: OpenPrompt): Promise<void> {
    const { outcome = 'ask', delayMs = 0 } = prompt.behaviour;
    if (outcome === 'ask') {
      // Nobody waits for it: a person may answer first.
      void expire(prompt);
      return;
    }
    await track(wait(delayMs, context.closing).then(() => end(prompt, outcome)));
  }

  async function expire(prompt: OpenPrompt): Promise<void> {
    await wait(context.settings.promptMs, context.closing);
    if (prompt.outcome === null) await track(end(prompt, 'no-answer'));
  }

  async function end(prompt: OpenPrompt, outcome: OutcomeName): Promise<void> {
    if (prompt.outcome !== null || context.closing.aborted) return;
    prompt.outcome = outcome;
    openPhones.delete(prompt.request.phone);
    await report(context, prompt, outcome);
  }

  return {
    open,
    find: (id) => prompts.get(id) ?? null,
    async answer(idOrPhone, outcome) {
      const prompt = openPhones.get(idOrPhone) ?? prompts.get(idOrPhone);
      if (prompt === undefined || prompt.outcome !== null) throw new RangeError('no such prompt is open');
      await track(end(prompt, outcome));
    },
    get all() {
      return [...prompts.values()];
    },
    async settled() {
      while (underWay.size > 0) {
        await context.deliveries.settled();
        await Promise.race([...underWay, sleep(5)]);
      }
    },
  };
}

/** Moves the money, if it moves, and sends what tells of it. */
async function report(context: Context, prompt: OpenPrompt, outcome: OutcomeName): Promise<void> {
  const { thenPaid, payments = 1 } = prompt.behaviour;
  if (outcome !== 'paid') {
    await sendCallback(context, prompt, { outcome, payment: null });
    if (thenPaid !== undefined) await pay(context, prompt, thenPaid);
    return;
  }
  for (let count = 0; count < payments; count += 1) await pay(context, prompt, 'both');
}

/** The customer's money moves, and one or both events tell of it. */
async function pay(
  context: Context,
  prompt: OpenPrompt,
  told: 'callback' | 'confirmation' | 'both',
): Promise<void> {
  const { request, random, ids } = prompt;
  const payment = context.book.move(
    {
      kind: 'stk',
      amount: request.amount,
      paidAt: context.now(),
      shortCode: request.partyB,
      account: request.isTill ? '' : request.reference,
      phone: request.phone,
      checkoutRequestId: ids.CheckoutRequestID,
      reverses: null,
    },
    random,
  );
  prompt.receipts.push(payment.receipt);
  const plan = prompt.behaviour.confirmation;
  const sendings = [
    ...(told === 'confirmation' ? [] : [() => sendCallback(context, prompt, { outcome: 'paid', payment })]),
    ...(told === 'callback' ? [] : [() => confirmPayment(context, { payment, random }, { plan })]),
  ];
  await inOrder(sendings, prompt);
}

/** Sends the callback first, the confirmation first, or both at once. */
async function inOrder(sendings: readonly (() => Promise<void>)[], prompt: OpenPrompt): Promise<void> {
  const drawn = prompt.random.pick(['callback-first', 'confirmation-first', 'together']);
  const order = prompt.behaviour.order ?? drawn;
  if (order === 'together') {
    await Promise.all(sendings.map((send) => send()));
    return;
  }
  const ordered = order === 'callback-first' ? sendings : sendings.toReversed();
  for (const send of ordered) await send();
}

async function sendCallback(
  context: Context,
  prompt: OpenPrompt,
  { outcome, payment }: { readonly outcome: OutcomeName; readonly payment: OpenPayment | null },
): Promise<void> {
  const { random, request, ids } = prompt;
  const { nuisances } = context.settings;
  const plan = drawPlan(prompt.behaviour.callback ?? {}, nuisances, random);
  const varied = happens(random, nuisances.vary) ? random : null;
  const body = callbackBody({ ids, outcome: outcomeOf(outcome), payment, random: varied });
  const event = { kind: 'callback', url: request.callbackUrl, body, shortCode: request.shortCode } as const;
  const record = payment === null ? prompt.events : payment.events;
  await context.deliveries.send(event, { plan, random, record });
}

/** `ws_CO_`, the time in Nairobi to the millisecond, and the payer's nine digits: personal data in a name. */
function idsOf({ phone }: StkRequest, now: Date, random: Random): PromptIds {
  const [year, rest] = [eatDigits(now).slice(0, 4), eatDigits(now).slice(4)];
  const [month, day, time] = [rest.slice(0, 2), rest.slice(2, 4), rest.slice(4)];
  const hex = (length: number) => random.text(length, '0123456789abcdef');
  // Two prompts of one phone in one millisecond do not happen at M-PESA; here the drawn digits keep them apart.
  const millis = random.text(3, '0123456789');
  return {
    MerchantRequestID: `${random.text(4, '0123456789')}-${hex(4)}-${hex(4)}-${hex(16)}`,
    CheckoutRequestID: `ws_CO_${day}${month}${year}${time}${millis}${phone.slice(-9)}`,
  };
}

/** Waits; ends early, without a word, when the simulator closes. */
async function wait(ms: number, closing: AbortSignal): Promise<void> {
  if (ms > 0) await sleep(ms, undefined, { signal: closing, ref: false }).catch(() => undefined);
}
