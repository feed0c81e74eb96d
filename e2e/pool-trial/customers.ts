import { confirmationOf, createPayment, openTarget, sendConfirmation } from '@repo/simulator';
import type { Random, Target } from '@repo/simulator';
import { until } from '@repo/testing/until';
import { Agent, request } from 'undici';
import { TRIAL_KEY, TRIAL_TOKEN } from '../sms-kill-trial/processes.ts';
import type { AppName, Crowd, Member } from './crowd.ts';

/** What customers did, as they know it; cents. */
export interface CustomersBook {
  /** By the number of the wallet. */
  readonly balances: ReadonlyMap<string, number>;
  /** Of payments that were acknowledged. */
  readonly receipts: readonly string[];
  readonly transfers: number;
}

export interface Customers extends AsyncDisposable {
  /** Pays 10 shillings into the wallet: the confirmation goes to two processes at once, as when M-PESA repeats itself. */
  pay(wallet: string): Promise<void>;
  /** Moves 1 shilling: the request goes to two processes at once, as when an app repeats itself. */
  transfer(from: string, to: string): Promise<void>;
  readonly book: CustomersBook;
}

const PAYMENT_CENTS = 1_000;
const TRANSFER_CENTS = 100;

/** Customers who use all processes of a crowd, each time other ones, and go to another when one is gone. */
export function openCustomers(crowd: Crowd, random: Random): Customers {
  const agent = new Agent({ connections: 4 });
  const targets = new Map<string, Target>(
    crowd.of('mpesa').map(({ url }) => [url, openTarget({ url, token: TRIAL_TOKEN, connections: 4 })]),
  );
  const balances = new Map<string, number>();
  const receipts: string[] = [];
  let transfers = 0;
  const pick = (app: AppName): Member => {
    const [first, ...others] = crowd.of(app);
    if (first === undefined) throw new RangeError(`no process of ${app}`);
    return random.pick([first, ...others]);
  };
  const move = (wallet: string, cents: number) => balances.set(wallet, (balances.get(wallet) ?? 0) + cents);

  async function postTransfer(url: string, body: string, key: string): Promise<boolean> {
    const answer = await request(`${url}/transfers`, {
      dispatcher: agent,
      method: 'POST',
      headers: {
        authorization: `Bearer ${TRIAL_KEY}`,
        'content-type': 'application/json',
        'idempotency-key': key,
      },
      body,
    }).catch(() => null);
    if (answer === null) return false;
    const text = await answer.body.text().catch(() => '');
    if (answer.statusCode >= 400 && answer.statusCode < 500)
      throw new Error(`a transfer was refused: ${text}`);
    return answer.statusCode < 300;
  }

  return {
    async pay(wallet) {
      const message = confirmationOf(createPayment(random, { account: wallet, amount: '10.00' }), 'masked');
      const sendOnce = () =>
        until('an acknowledgement', async () => {
          const target = targets.get(pick('mpesa').url);
          const answer = target && (await sendConfirmation(target, message).catch(() => null));
          return answer?.accepted === true;
        });
      await Promise.all([sendOnce(), sendOnce()]);
      receipts.push(message.TransID);
      move(wallet, PAYMENT_CENTS);
    },
    async transfer(from, to) {
      const body = JSON.stringify({ from, to, amount: '1.00' });
      const key = `pool-trial-${random.text(20, 'abcdefghijklmnopqrstuvwxyz')}`;
      const sendOnce = () => until('a transfer', () => postTransfer(pick('wallet').url, body, key));
      await Promise.all([sendOnce(), sendOnce()]);
      transfers += 1;
      move(from, -TRANSFER_CENTS);
      move(to, TRANSFER_CENTS);
    },
    get book() {
      return { balances, receipts, transfers };
    },
    async [Symbol.asyncDispose]() {
      await agent.destroy();
      await Promise.all([...targets.values()].map((target) => target[Symbol.asyncDispose]()));
    },
  };
}
