import { createHash } from 'node:crypto';
import { createSealing } from './sealing.ts';
import type { Sealing } from './sealing.ts';
import type { DarajaSettings } from './settings.ts';

/** Seals the token that lies in the database. What it cannot open is treated like a token that was refused. */
export interface TokenSeal extends Sealing {
  /** Names the account, so that two accounts share no token; 64 hex digits. */
  readonly client: string;
}

/** The key comes from the consumer secret: who has that can get tokens anyway, and nobody needs one more secret. */
export function createTokenSeal(
  account: Pick<DarajaSettings, 'baseUrl' | 'consumerKey' | 'consumerSecret'>,
): TokenSeal {
  const client = createHash('sha256').update(`${account.baseUrl}\0${account.consumerKey}`).digest('hex');
  return {
    client,
    ...createSealing(account.consumerSecret, { salt: client, purpose: 'daftari daraja token' }),
  };
}
