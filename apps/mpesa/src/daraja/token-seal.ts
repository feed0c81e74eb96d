import { createCipheriv, createDecipheriv, createHash, hkdfSync, randomBytes } from 'node:crypto';
import type { DarajaSettings } from './settings.ts';

const IV_BYTES = 12;
const TAG_BYTES = 16;

/** Seals the token that lies in the database: those who read it there cannot use it without the consumer secret. */
export interface TokenSeal {
  /** Names the account, so that two accounts share no token; 64 hex digits. */
  readonly client: string;
  seal(token: string): Buffer;
  /** Null for what another secret sealed, or what was changed. */
  open(sealed: Uint8Array): string | null;
}

/** The key comes from the consumer secret: who has that can get tokens anyway, and nobody needs one more secret. */
export function createTokenSeal(
  account: Pick<DarajaSettings, 'baseUrl' | 'consumerKey' | 'consumerSecret'>,
): TokenSeal {
  const client = createHash('sha256').update(`${account.baseUrl}\0${account.consumerKey}`).digest('hex');
  const key = Buffer.from(hkdfSync('sha256', account.consumerSecret, client, 'daftari daraja token', 32));
  return {
    client,
    seal(token) {
      const iv = randomBytes(IV_BYTES);
      const cipher = createCipheriv('aes-256-gcm', key, iv);
      const sealed = Buffer.concat([cipher.update(token, 'utf8'), cipher.final()]);
      return Buffer.concat([iv, cipher.getAuthTag(), sealed]);
    },
    open(sealed) {
      const bytes = Buffer.from(sealed);
      if (bytes.length <= IV_BYTES + TAG_BYTES) return null;
      const decipher = createDecipheriv('aes-256-gcm', key, bytes.subarray(0, IV_BYTES));
      decipher.setAuthTag(bytes.subarray(IV_BYTES, IV_BYTES + TAG_BYTES));
      try {
        const text = Buffer.concat([decipher.update(bytes.subarray(IV_BYTES + TAG_BYTES)), decipher.final()]);
        return text.toString('utf8');
      } catch {
        // Not ours: it is treated like a token that was refused.
        return null;
      }
    },
  };
}
