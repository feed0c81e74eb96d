import { startDaraja } from '@repo/simulator';
import { request } from 'undici';
import type { Settings } from './env.ts';
import type { Service } from './processes.ts';
import type { Scene, Wallets } from './scenes.ts';

const HOUR_MS = 3_600_000;
const AMOUNT = '640.00';

/**
 * M-PESA takes two payments, charges for them, and forgets to report one. Its statement is imported, and healing credits what
 * nobody reported and posts the charges.
 */
export async function playStatement(service: Service, settings: Settings, wallets: Wallets): Promise<Scene> {
  const callbacks = `${service.url}/c2b/${encodeURIComponent(settings.callbackToken)}`;
  await using daraja = await startDaraja({
    seed: `statement ${String(Date.now())}`,
    // Of its own: the statement knows nothing of the other payments.
    shortCode: '600200',
    charge: 55,
    urls: {
      confirmationUrl: `${callbacks}/confirmation`,
      validationUrl: `${callbacks}/validation`,
      responseType: 'Completed',
      version: 2,
    },
  });
  await daraja.pay({ account: wallets.otieno, amount: '35.00' });
  const lost = await daraja.pay({ account: wallets.otieno, amount: AMOUNT, confirmation: { copies: 0 } });
  await daraja.settled();

  const post = async (path: string, type: string, body: Buffer | string): Promise<boolean> => {
    const { statusCode, body: answer } = await request(`${service.url}${path}`, {
      method: 'POST',
      headers: { authorization: `Bearer ${settings.apiKey}`, 'content-type': type },
      body,
    });
    const { breaks = [] } = (await answer.json()) as { readonly breaks?: readonly unknown[] };
    return statusCode === 201 && breaks.length === 0;
  };
  const period = {
    shortCode: daraja.shortCode,
    from: new Date(Date.now() - HOUR_MS).toISOString(),
    to: new Date(Date.now() + HOUR_MS).toISOString(),
  };
  const done = [
    await post('/statements', 'text/csv', await daraja.statement()),
    await post('/reconciliations', 'application/json', JSON.stringify({ ...period, heal: true })),
  ];
  return {
    title: 'a callback that never came, healed from the statement',
    receipts: lost.isPaid ? [lost.payment.receipt] : [],
    sent: done.length,
    acknowledged: done.filter(Boolean).length,
    inbox: { CREDITED: 1 },
    wallet: wallets.otieno,
    amount: AMOUNT,
  };
}
