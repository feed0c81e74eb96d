import { readFile } from 'node:fs/promises';
import { EnvironmentError } from '@repo/http';
import { ReceiptError, createSigningKeys, newSigningKey } from '@repo/receipts';
import type { SigningKeys } from '@repo/receipts';

export interface ReceiptKeys {
  readonly keys: SigningKeys;
  /** The keys were made up for this process, and nobody can check its receipts once it has ended. */
  readonly areTemporary: boolean;
}

/**
 * Reads the keys that sign receipts: from the text itself when it is JSON, else from the file that it names. Without
 * a setting the process gets a key of its own, for development.
 *
 * @throws EnvironmentError that says what is wrong with RECEIPT_KEYS, and repeats nothing of it
 */
export async function readReceiptKeys(setting: string | undefined): Promise<ReceiptKeys> {
  if (setting === undefined) {
    const jwks = JSON.stringify({ keys: [await newSigningKey()] });
    return { keys: await createSigningKeys(jwks), areTemporary: true };
  }
  const jwks = setting.trimStart().startsWith('{') ? setting : await readKeyFile(setting);
  try {
    return { keys: await createSigningKeys(jwks), areTemporary: false };
  } catch (cause) {
    if (!(cause instanceof ReceiptError)) throw cause;
    throw keysError(cause.message, cause);
  }
}

async function readKeyFile(path: string): Promise<string> {
  try {
    return await readFile(path, 'utf8');
  } catch (cause) {
    const code = cause instanceof Error && 'code' in cause ? String(cause.code) : 'unknown error';
    throw keysError(`the file that it names cannot be read (${code})`, cause);
  }
}

function keysError(what: string, cause: unknown): EnvironmentError {
  return new EnvironmentError(
    [
      'wallet cannot start, its environment needs attention:',
      `  RECEIPT_KEYS  is not valid: ${what}`,
      'Set it to a JSON Web Key Set with private Ed25519 keys, or to the path of a file that holds one, and start again.',
    ].join('\n'),
    { cause },
  );
}
