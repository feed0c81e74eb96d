import { isDaftariError, lookupWallet, openWallet } from '@repo/db';
import type { Db, Wallet } from '@repo/db';

export interface SampleWallet {
  readonly number: string;
  readonly holderName: string;
  readonly phone: string;
}

/**
 * Invented people with numbers that nobody takes for a telephone's. The wallet numbers are fixed, so that examples can
 * be typed as they are printed; like every customer's, they end in a check digit, and no two of them look alike.
 */
export const SAMPLE_WALLETS: readonly SampleWallet[] = [
  { number: '2048173651', holderName: 'Akinyi Zawadi', phone: '254700000001' },
  { number: '3185294767', holderName: 'Baraka Nuru', phone: '254700000002' },
  { number: '4713068922', holderName: 'Chebet Machweo', phone: '254700000003' },
  { number: '5309617242', holderName: 'Duma Pwani', phone: '254700000004' },
  { number: '6251740389', holderName: 'Eshe Maziwa', phone: '254700000005' },
  { number: '7094826515', holderName: 'Furaha Mvua', phone: '254700000006' },
  { number: '8460359176', holderName: 'Gathoni Upepo', phone: '254700000007' },
  { number: '9627401833', holderName: 'Halima Nyota', phone: '254700000008' },
];

/** Opens those of the sample wallets that are not there yet, and answers all of them as they are now. */
export async function openSampleWallets(db: Db): Promise<{ wallets: Wallet[]; opened: number }> {
  const wallets: Wallet[] = [];
  let opened = 0;
  for (const sample of SAMPLE_WALLETS) {
    try {
      wallets.push(await openWallet(db, sample));
      opened += 1;
    } catch (error) {
      if (!isDaftariError(error) || error.code !== 'wallet_exists') throw error;
      const wallet = await lookupWallet(db, sample.number);
      if (wallet === null) throw error;
      wallets.push(wallet);
    }
  }
  return { wallets, opened };
}
