import { randomUUID } from 'node:crypto';
import { startDaraja } from '@repo/simulator';
import type { DarajaSimulator, StkBehaviour } from '@repo/simulator';
import { until } from '@repo/testing/until';
import { request } from 'undici';
import type { Settings } from './env.ts';
import type { Service } from './processes.ts';
import type { Scene, Wallets } from './scenes.ts';

/** A request to a phone, by its amount, and what its owner does. */
interface Prompted {
  readonly title: string;
  /** Whole shillings. */
  readonly amount: string;
  readonly behaviour: StkBehaviour;
  /** What `GET /payments/{id}` must say in the end, and events that lead there, in their order. */
  readonly status: 'paid' | 'failed';
  readonly events: readonly string[];
}

const PROMPTED: readonly Prompted[] = [
  {
    title: 'a phone is asked for a payment, and its owner pays',
    amount: '410',
    behaviour: { outcome: 'paid' },
    status: 'paid',
    events: ['paid'],
  },
  {
    title: 'a phone is asked, and its owner cancels',
    amount: '420',
    behaviour: { outcome: 'cancelled' },
    status: 'failed',
    events: ['failed'],
  },
  {
    title: 'a phone is asked, nobody answers, and the receipt comes late',
    amount: '430',
    behaviour: { outcome: 'no-answer', thenPaid: 'callback' },
    status: 'paid',
    events: ['failed', 'paid'],
  },
];

/** M-PESA that asks phones, each of which does what its scene says. */
export async function startPhones(): Promise<DarajaSimulator> {
  return startDaraja({
    seed: `phones ${String(Date.now())}`,
    behaviour: ({ amount }) => PROMPTED.find((each) => each.amount === amount)?.behaviour ?? {},
  });
}

/** Asks one customer's phone for each payment, and waits until the service says what became of it. */
export async function playPayments(
  service: Service,
  { settings, wallets }: { readonly settings: Settings; readonly wallets: Wallets },
): Promise<Scene[]> {
  const scenes: Scene[] = [];
  for (const each of PROMPTED) {
    const call = { service, key: settings.apiKey };
    const id = await ask(call, { wallet: wallets.wanjiku, phone: '0700000101', amount: each.amount });
    const payment = await until(`a payment that is ${each.status}`, () => find(call, id), {
      isFit: ({ status, events }) =>
        status === each.status && each.events.every((kind) => events.includes(kind)),
      show: ({ status }) => status,
    });
    // Others may stand between and behind them: the callback may overtake the answer to the request.
    const told = payment.events.filter((kind) => each.events.includes(kind));
    const isAsTold = told.join() === each.events.join();
    const { receipt } = payment;
    scenes.push({
      title: each.title,
      receipts: receipt === undefined ? [] : [receipt],
      sent: 1,
      acknowledged: isAsTold ? 1 : 0,
      inbox: receipt === undefined ? {} : { CREDITED: 1 },
      wallet: each.status === 'paid' ? wallets.wanjiku : null,
      amount: `${each.amount}.00`,
    });
  }
  return scenes;
}

interface Call {
  readonly service: Service;
  readonly key: string;
}

async function ask({ service, key }: Call, payment: Readonly<Record<string, string>>): Promise<string> {
  const { body } = await request(`${service.url}/payments`, {
    method: 'POST',
    headers: {
      authorization: `Bearer ${key}`,
      'idempotency-key': randomUUID(),
      'content-type': 'application/json',
    },
    body: JSON.stringify(payment),
  });
  return ((await body.json()) as { readonly id?: string }).id ?? '';
}

interface Found {
  readonly status: string;
  readonly receipt?: string;
  /** Their kinds, in order. */
  readonly events: readonly string[];
}

async function find({ service, key }: Call, id: string): Promise<Found> {
  const { body } = await request(`${service.url}/payments/${id}`, {
    headers: { authorization: `Bearer ${key}` },
  });
  const { events = [], ...payment } = (await body.json()) as Omit<Found, 'events'> & {
    readonly events?: readonly { readonly kind: string }[];
  };
  return { ...payment, events: events.map(({ kind }) => kind) };
}
