import { createCipheriv, createDecipheriv, hkdfSync, randomBytes } from 'node:crypto';

const IV_BYTES = 12;
const TAG_BYTES = 16;

/** Seals texts that lie in the database: those who read them there cannot use them without the secret. */
export interface Sealing {
  seal(text: string): Buffer;
  /** Null for what another secret sealed, or what was changed. */
  open(sealed: Uint8Array): string | null;
}

/** AES-256-GCM with a key from a secret (HKDF); salt and purpose keep the keys of one secret apart. */
export function createSealing(
  secret: string,
  { salt, purpose }: { readonly salt: string; readonly purpose: string },
): Sealing {
  const key = Buffer.from(hkdfSync('sha256', secret, salt, purpose, 32));
  return {
    seal(text) {
      const iv = randomBytes(IV_BYTES);
      const cipher = createCipheriv('aes-256-gcm', key, iv);
      const sealed = Buffer.concat([cipher.update(text, 'utf8'), cipher.final()]);
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
        return null;
      }
    },
  };
}
