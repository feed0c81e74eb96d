import { setTimeout as sleep } from 'node:timers/promises';
import type { DarajaSimulator } from '@repo/simulator';
import { Agent, request } from 'undici';
import { TRIAL_KEY } from './nodes.ts';
import type { PromptStep } from './plan.ts';

/** Asks phones for payments through the service, as a shop does that wants each of them to be asked. */
export interface Shop extends AsyncDisposable {
  /** Resolves when every one of these phones shows its prompt. */
  readonly ask: (orders: readonly PromptStep[]) => Promise<void>;
  /** Requests that were made, repeats of a key not counted. */
  readonly requests: () => number;
  /** Orders that were asked for again, because their first request came to nothing. */
  readonly askedAgain: () => number;
}

const AT_ONCE = 32;
const LOOK_MS = 200;
/** A request that was not sent after so long was under way in a process that was killed, and is never sent. */
const STUCK_MS = 8_000;

interface Asked {
  readonly order: PromptStep;
  readonly id: string;
  readonly attempt: number;
  readonly since: number;
}

export function openShop(daraja: DarajaSimulator, route: (url: string) => string, front: string): Shop {
  const caller = openCaller(route, front);
  const { call } = caller;
  let requests = 0;
  let askedAgain = 0;

  async function begin(order: PromptStep, attempt: number): Promise<Asked> {
    const { wallet, amount, phone, id } = order;
    requests += 1;
    const body = JSON.stringify({ wallet, amount, phone });
    const payment = await call('/payments', { body, key: `${id}-${String(attempt)}` });
    return { order, id: payment.id, attempt, since: performance.now() };
  }

  /** Whether the first request came to nothing, so that the shop asks again. */
  async function isLost({ id, since }: Asked): Promise<boolean> {
    const { status } = await call(`/payments/${id}`);
    if (status === 'unknown' || status === 'failed') return true;
    return performance.now() - since > STUCK_MS;
  }

  return {
    async ask(orders) {
      const left = [...orders];
      const asked: Asked[] = [];
      const work = async () => {
        for (let order = left.shift(); order !== undefined; order = left.shift()) {
          asked.push(await begin(order, 0));
        }
      };
      await Promise.all(Array.from({ length: AT_ONCE }, work));
      for (;;) {
        const shown = new Set(daraja.prompts().map(({ request: { phone } }) => phone));
        const missing = asked.filter(({ order }) => !shown.has(order.phone));
        if (missing.length === 0) return;
        for (const each of missing) {
          if (!(await isLost(each))) continue;
          askedAgain += 1;
          asked[asked.indexOf(each)] = await begin(each.order, each.attempt + 1);
        }
        await sleep(LOOK_MS);
      }
    },
    requests: () => requests,
    askedAgain: () => askedAgain,
    [Symbol.asyncDispose]: caller.close,
  };
}

/** Calls the service until one of its processes answers; with a body it needs a key, too. */
export function openCaller(route: (url: string) => string, front: string) {
  const agent = new Agent({ connections: AT_ONCE });

  async function call(
    path: string,
    options: { readonly body?: string; readonly key?: string } = {},
  ): Promise<{ readonly id: string; readonly status: string }> {
    const { body, key } = options;
    for (;;) {
      try {
        const answer = await request(route(`${front}${path}`), {
          dispatcher: agent,
          method: body === undefined ? 'GET' : 'POST',
          headers: {
            authorization: `Bearer ${TRIAL_KEY}`,
            ...(key === undefined ? {} : { 'idempotency-key': key, 'content-type': 'application/json' }),
          },
          ...(body === undefined ? {} : { body }),
        });
        const text = await answer.body.text();
        if (answer.statusCode < 300) return JSON.parse(text) as { id: string; status: string };
        if (answer.statusCode < 500) throw new TypeError(`the service answered ${text}`);
      } catch (error) {
        // Killed while it answered: the key makes the same request of the repeat.
        if (error instanceof TypeError) throw error;
      }
      await sleep(LOOK_MS);
    }
  }
  return { call, close: () => agent.destroy() };
}
