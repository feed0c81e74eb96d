import { createRandom } from '@repo/simulator';
import type { C2bShape, Fault, OutcomeName, Random, StkBehaviour } from '@repo/simulator';

/** A customer of the day; the numbers are made up. */
export interface Customer {
  readonly wallet: string;
  /** Digits; of no two customers the same. */
  readonly phone: string;
}

/** What happens at one moment of the day. */
export type Step = { readonly at: Date } & (MenuStep | PromptStep | ReversalStep | SweepStep);

/** Somebody pays by the menu of the phone. */
export interface MenuStep {
  readonly kind: 'menu';
  readonly receiver: 'paybill' | 'till';
  readonly account: string;
  readonly amount: string;
  readonly phone: string;
  readonly shape: C2bShape;
  readonly fails: boolean;
}

/** A shop asks a phone for a payment, and the phone answers. */
export interface PromptStep {
  readonly kind: 'prompt';
  readonly id: string;
  readonly wallet: string;
  readonly amount: string;
  readonly phone: string;
  readonly outcome: OutcomeName;
  readonly behaviour: StkBehaviour;
  /** What befalls the first request. */
  readonly fault: Fault | null;
}

/** The organisation gives a payment back, or sends money to its bank. */
interface ReversalStep {
  readonly kind: 'reverse';
  readonly receiver: 'paybill' | 'till';
}

interface SweepStep {
  readonly kind: 'sweep';
  readonly receiver: 'paybill' | 'till';
}

type Some<T> = readonly [T, ...T[]];

const DAY_MS = 86_400_000;
const PROMPTS = 0.3;
const AT_TILL = 0.15;
/** After so many payments one is given back, and the bank gets half of what is there. */
const REVERSED_ONE_IN = 70;
const SWEPT_ONE_IN = 90;

/** How prompts that are not paid end. */
const REFUSED: Some<OutcomeName> = [
  'cancelled',
  'cancelled',
  'wrong-pin',
  'insufficient-funds',
  'no-answer',
  'unreachable',
  'expired',
  'busy-subscriber',
  'locked',
  'system-error',
  'no-operator',
];
const PAYBILL_SHAPES: Some<C2bShape> = [
  'masked',
  'masked',
  'hashed',
  'hashed-masked',
  'plain',
  'organisation',
];
const TILL_SHAPES: Some<C2bShape> = ['till', 'till-short'];
const FAULTS: Some<Fault> = ['lost-before', 'lost-after', 'cut', 'unreadable', 'system-busy'];

/** A day of payments from its first moment on. The same seed makes the same day. */
export function planDay(options: {
  readonly seed: string;
  readonly payments: number;
  readonly from: Date;
  readonly customers: Some<Customer>;
}): Step[] {
  const { payments, from, customers } = options;
  const random = createRandom(`${options.seed} day`);
  const steps: Step[] = [];
  for (let place = 0; place < payments; place += 1) {
    // M-PESA's statements know no parts of a second.
    const second = Math.floor(((place + 0.5) / payments) * (DAY_MS / 1_000));
    const at = new Date(from.getTime() + second * 1_000);
    steps.push({ at, ...paymentOf(random, place, customers) });
    const receiver = random.integer(5) === 0 ? 'till' : 'paybill';
    if (place % REVERSED_ONE_IN === REVERSED_ONE_IN - 1) steps.push({ at, kind: 'reverse', receiver });
    if (place % SWEPT_ONE_IN === SWEPT_ONE_IN - 1) steps.push({ at, kind: 'sweep', receiver });
  }
  return steps;
}

function paymentOf(random: Random, place: number, customers: Some<Customer>): MenuStep | PromptStep {
  const chance = random.integer(10_000) / 10_000;
  const customer = random.pick(customers);
  if (chance < PROMPTS) return promptOf(random, place, customer);
  const isTill = chance < PROMPTS + AT_TILL;
  return {
    kind: 'menu',
    receiver: isTill ? 'till' : 'paybill',
    account: isTill ? '' : accountOf(random, customer),
    amount: `${String(1 + random.integer(7_000))}.${random.integer(20) === 0 ? '50' : '00'}`,
    phone: random.integer(2) === 0 ? customer.phone : phoneOf('254712', place),
    shape: random.pick(isTill ? TILL_SHAPES : PAYBILL_SHAPES),
    fails: random.integer(100) === 0,
  };
}

/** What payers type: mostly the number of the wallet, and all that people take for it. */
function accountOf(random: Random, { wallet, phone }: Customer): string {
  const spaced = `${wallet.slice(0, 4)} ${wallet.slice(4, 7)}-${wallet.slice(7)}`;
  const mistyped = `${wallet.slice(0, 9)}${String((Number(wallet.slice(9)) + 1) % 10)}`;
  const rare: Some<string> = [spaced, `0${phone.slice(3)}`, `+${phone}`, mistyped, 'SCHOOL FEES', ''];
  return random.integer(5) === 0 ? random.pick(rare) : wallet;
}

function promptOf(random: Random, place: number, { wallet }: Customer): PromptStep {
  const fate = random.integer(100);
  const isPaid = fate < 72;
  const late = random.pick(['callback', 'confirmation', 'both'] as const);
  const behaviour: StkBehaviour = {
    outcome: 'ask',
    ...(isPaid && fate < 2 ? { payments: 2 } : {}),
    ...(!isPaid && fate < 76 ? { thenPaid: late } : {}),
  };
  return {
    kind: 'prompt',
    id: `order-${String(place)}`,
    wallet,
    amount: String(1 + random.integer(7_000)),
    phone: phoneOf('254713', place),
    outcome: isPaid ? 'paid' : random.pick(REFUSED),
    behaviour,
    fault: random.integer(200) === 0 ? random.pick(FAULTS) : null,
  };
}

function phoneOf(prefix: string, place: number): string {
  return `${prefix}${String(place).padStart(6, '0')}`;
}
