import { createDb, openWallet } from '@repo/db';
import {
  confirmationOf,
  createPayment,
  createRandom,
  openTarget,
  sendConfirmation,
  sendRaw,
  sendStorm,
  sendTogether,
} from '@repo/simulator';
import type { Answer, Payment, Target } from '@repo/simulator';
import type { Service } from './processes.ts';

/** One thing that happened at M-PESA, and what the ledger must say of it afterwards. */
export interface Scene {
  readonly title: string;
  /** The receipts it is about. */
  readonly receipts: readonly string[];
  readonly sent: number;
  readonly acknowledged: number;
  /** How many of what the inbox must hold; null when chance decides (after a crash). */
  readonly inbox: Readonly<Record<string, number>> | null;
  /** Where the money of every receipt must be: a wallet's number, or null when none may have moved. */
  readonly wallet: string | null;
  /** What each receipt must have moved. */
  readonly amount: string;
}

export interface Wallets {
  readonly wanjiku: string;
  readonly otieno: string;
}

const STORM = 200;
const CRASH = 60;

/** Two customers. The phone numbers belong to nobody. */
export async function openWallets(databaseUrl: string): Promise<Wallets> {
  const db = createDb({ url: databaseUrl });
  const wanjiku = await openWallet(db, { holderName: 'Wanjiku Kamau', phone: '0700 000 101' });
  const otieno = await openWallet(db, { holderName: 'Otieno Odhiambo', phone: '+254 700 000 102' });
  await db.close();
  return { wanjiku: wanjiku.number, otieno: otieno.number };
}

/** Plays M-PESA against the services and notes what was sent; says nothing of what the services made of it. */
export async function playScenes(
  services: readonly Service[],
  token: string,
  wallets: Wallets,
): Promise<Scene[]> {
  const random = createRandom(String(Date.now()));
  const targets = services.map(({ url }) => openTarget({ url, token }));
  const [first, second] = targets;
  if (first === undefined || second === undefined) throw new Error('the scenes need two services');
  const pay = (given: Partial<Payment>) => createPayment(random, given);
  const scenes: Scene[] = [];

  const deposit = pay({ account: wallets.wanjiku, amount: '1500.00' });
  const message = confirmationOf(deposit);
  scenes.push(
    sceneOf(deposit, {
      title: 'a deposit, and the same message again',
      wallet: wallets.wanjiku,
      answers: [await sendConfirmation(first, message), await sendConfirmation(second, message)],
      inbox: { CREDITED: 1, DUPLICATE: 1 },
    }),
  );

  const storm = pay({ account: wallets.wanjiku, amount: '250.50' });
  scenes.push(
    sceneOf(storm, {
      title: `${String(STORM)} copies at once, to two services`,
      wallet: wallets.wanjiku,
      answers: await sendStorm(targets, confirmationOf(storm, 'hashed'), STORM),
      inbox: { CREDITED: 1, DUPLICATE: STORM - 1 },
    }),
  );

  const forged = pay({ account: wallets.otieno, amount: '100.00' });
  scenes.push(
    sceneOf(forged, {
      title: 'then the same receipt with another amount',
      wallet: wallets.otieno,
      answers: [
        await sendConfirmation(first, confirmationOf(forged)),
        await sendConfirmation(first, { ...confirmationOf(forged), TransAmount: '90000.00' }),
      ],
      inbox: { CREDITED: 1, CONFLICT: 1 },
    }),
  );

  const byPhone = pay({ account: '0700-000 102', amount: '75.00' });
  scenes.push(
    sceneOf(byPhone, {
      title: 'the account is the customer’s own phone',
      wallet: wallets.otieno,
      answers: [await sendConfirmation(second, confirmationOf(byPhone, 'plain'))],
      inbox: { CREDITED: 1 },
    }),
  );

  const mistyped = pay({ account: swapDigits(wallets.otieno), amount: '320.00' });
  scenes.push(
    sceneOf(mistyped, {
      title: 'two digits of the account swapped',
      wallet: 'SUSPENSE',
      answers: [await sendConfirmation(first, confirmationOf(mistyped))],
      inbox: { SUSPENSE: 1 },
    }),
  );

  scenes.push(await sendBroken(first, pay({ account: wallets.otieno })));
  await Promise.all(targets.map((target) => target.close()));
  return scenes;
}

/** Payments arrive while a service is killed; M-PESA repeats to the other one what was not acknowledged. */
export async function playCrash(
  services: readonly Service[],
  token: string,
  wallets: Wallets,
): Promise<Scene> {
  const [victim, survivor] = services;
  if (victim === undefined || survivor === undefined) throw new Error('the crash needs two services');
  const random = createRandom(`crash ${String(Date.now())}`);
  const payments = Array.from({ length: CRASH }, () =>
    createPayment(random, { account: wallets.otieno, amount: '10.00' }),
  );
  const before = openTarget({ url: victim.url, token });
  const answers = payments.map((payment) =>
    sendConfirmation(before, confirmationOf(payment)).catch((): null => null),
  );
  // As soon as the first one is acknowledged the service dies, with the others under way.
  await Promise.race(answers);
  await victim.kill();
  const acknowledged = (await Promise.all(answers)).map((answer) => answer?.accepted === true);
  await before.close().catch(() => undefined);

  const after = openTarget({ url: survivor.url, token });
  const lost = payments.filter((_payment, at) => acknowledged[at] !== true);
  const repeated = await sendTogether(
    [after],
    lost.map((payment) => confirmationOf(payment)),
  );
  await after.close();
  const heard = acknowledged.filter(Boolean).length + repeated.filter(({ accepted }) => accepted).length;
  return {
    title: `${String(CRASH)} payments, a service killed among them, the lost repeated`,
    receipts: payments.map(({ receipt }) => receipt),
    // Each payment counts once: what matters is that a process acknowledged it in the end.
    sent: CRASH,
    acknowledged: heard,
    inbox: null,
    wallet: wallets.otieno,
    amount: '10.00',
  };
}

/** A message with a comma lost on the way: nothing can be credited, and nothing may be lost. */
async function sendBroken(target: Target, payment: Payment): Promise<Scene> {
  const body = JSON.stringify(confirmationOf(payment)).replace(/,/, '');
  const answers = [await sendRaw(target, 'confirmation', body)];
  return sceneOf(payment, {
    title: 'a message that is no JSON',
    wallet: null,
    answers,
    inbox: { QUARANTINED: 1 },
  });
}

interface Played {
  readonly title: string;
  readonly answers: readonly Answer[];
  readonly inbox: Readonly<Record<string, number>>;
  readonly wallet: string | null;
}

function sceneOf(payment: Payment, played: Played): Scene {
  const { title, answers, inbox, wallet } = played;
  const acknowledged = answers.filter(({ accepted }) => accepted).length;
  const { receipt, amount } = payment;
  return { title, receipts: [receipt], sent: answers.length, acknowledged, inbox, wallet, amount };
}

/** The first two different neighbours, swapped: a slip of the finger that a check digit always shows. */
function swapDigits(number: string): string {
  const at = [...number].findIndex((digit, index) => index > 0 && digit !== number[index + 1]);
  return number.slice(0, at) + (number[at + 1] ?? '') + (number[at] ?? '') + number.slice(at + 2);
}
