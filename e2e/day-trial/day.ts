import { setImmediate } from 'node:timers/promises';
import { shillingsOf, startDaraja } from '@repo/simulator';
import type { DarajaSimulator } from '@repo/simulator';
import { centsOf } from './check.ts';
import { FRONT, TRIAL_TOKEN } from './nodes.ts';
import type { MenuStep, PromptStep, Step } from './plan.ts';
import type { Shop } from './shop.ts';

/** M-PESA for a day: a paybill, whose phones can be asked for payments, and a till. */
export interface Mpesa extends AsyncDisposable {
  readonly paybill: DarajaSimulator;
  readonly till: DarajaSimulator;
  /** Sets its clock. */
  readonly turnTo: (moment: Date) => void;
}

interface MpesaOptions {
  readonly seed: string;
  /** The first moment of its day. */
  readonly from: Date;
  /** Callbacks that are lost, in 100. */
  readonly dropPercent: number;
  readonly route: (url: string) => string;
}

export const PAYBILL = '600100';
export const TILL = '600201';

/** A prompt waits until the day answers it, however long the machine takes. */
const PROMPT_MS = 6 * 3_600_000;

export async function startMpesa(options: MpesaOptions): Promise<Mpesa> {
  let now = options.from;
  const common = {
    now: () => now,
    route: (url: string) => options.route(url),
    urls: {
      confirmationUrl: `${FRONT}/c2b/${TRIAL_TOKEN}/confirmation`,
      validationUrl: `${FRONT}/c2b/${TRIAL_TOKEN}/validation`,
      responseType: 'Completed',
      version: 2,
    },
    // What meets a process that is killed is sent to the other one. What is lost is drawn, and is lost in every run.
    attempts: 10_000,
    nuisances: {
      drop: options.dropPercent * 100,
      duplicate: 500,
      reorder: 500,
      delay: 1_000,
      mostDelayMs: 200,
      vary: 5_000,
    },
    promptMs: PROMPT_MS,
  } as const;
  const paybill = await startDaraja({ ...common, seed: `${options.seed} paybill`, shortCode: PAYBILL });
  const till = await startDaraja({
    ...common,
    seed: `${options.seed} till`,
    shortCode: '600200',
    till: TILL,
    charge: 55,
  });
  return {
    paybill,
    till,
    turnTo(moment) {
      now = moment;
    },
    async [Symbol.asyncDispose]() {
      await Promise.all([paybill.close(), till.close()]);
    },
  };
}

/** What the orders of a day are to their phones, for the simulator that shows their prompts. */
export function followOrders(paybill: DarajaSimulator, steps: readonly Step[]): void {
  const orders = new Map(steps.filter((step) => step.kind === 'prompt').map((step) => [step.phone, step]));
  paybill.configure({
    behaviour({ phone }, attempt) {
      const order = orders.get(phone);
      if (order === undefined) throw new RangeError('no order asks this phone');
      return { ...order.behaviour, ...(attempt === 0 && order.fault !== null ? { fault: order.fault } : {}) };
    },
  });
}

/** Reports that are under way at once. */
const AT_ONCE = 96;

/**
 * Plays some of a day's steps. The money moves in their order, whatever the machine does meanwhile: so the same seed makes
 * the same book, to the balance after each payment.
 */
export async function playSteps(
  { paybill, till, turnTo }: Mpesa,
  steps: readonly Step[],
  shop: Shop,
): Promise<void> {
  const first = steps[0];
  if (first === undefined) return;
  turnTo(first.at);
  await shop.ask(steps.filter((step) => step.kind === 'prompt'));
  const underWay = new Set<Promise<unknown>>();
  const receivers = { paybill, till };
  for (const step of steps) {
    turnTo(step.at);
    if (step.kind === 'reverse') reverseOne(receivers[step.receiver]);
    else if (step.kind === 'sweep') await sweep(receivers[step.receiver]);
    else {
      const work =
        step.kind === 'prompt'
          ? paybill.answerPrompt(step.phone, step.outcome)
          : pay(receivers[step.receiver], step);
      const sent: Promise<unknown> = work.finally(() => underWay.delete(sent));
      underWay.add(sent);
      // It moves its money in more than one step: nothing else may move between them.
      if (step.kind === 'prompt' && movesLater(step)) await sent;
    }
    await setImmediate();
    while (underWay.size >= AT_ONCE) await Promise.race(underWay);
  }
  await Promise.all(underWay);
}

function pay(daraja: DarajaSimulator, step: MenuStep): Promise<unknown> {
  const { account, amount, phone, shape, fails } = step;
  return daraja.pay({ account, amount, phone, shape, fails });
}

function movesLater({ behaviour }: PromptStep): boolean {
  return behaviour.thenPaid !== undefined || behaviour.payments !== undefined;
}

/** Gives back the latest payment of some that are done with. */
const BACK = 20;

function reverseOne(daraja: DarajaSimulator): void {
  const { payments } = daraja.book();
  const undone = new Set(payments.map(({ reverses }) => reverses));
  const payment = payments
    .slice(0, -BACK)
    .findLast(({ kind, receipt }) => (kind === 'c2b' || kind === 'stk') && !undone.has(receipt));
  if (payment !== undefined) daraja.reverse(payment.receipt);
}

async function sweep(daraja: DarajaSimulator): Promise<void> {
  const half = centsOf(daraja.book().balance) / 2n;
  if (half > 0n) await daraja.sweep({ amount: shillingsOf(half) });
}
