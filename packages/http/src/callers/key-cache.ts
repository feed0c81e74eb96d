import type { Caller, FindKey } from './api-key.ts';
import { secretDigest } from './secrets.ts';

export interface KeyCacheOptions {
  /** How long a found key is believed; milliseconds. A revoked key works that much longer. */
  readonly ttlMs: number;
  /** Keys remembered at most. Default: 10,000. The one remembered longest makes room. */
  readonly maxKeys?: number;
  /** The clock, in milliseconds; the process's monotonic one when absent. */
  readonly now?: () => number;
}

export interface KeyCache {
  readonly find: FindKey;
  /** Forgets a caller at once, because its key was revoked here. */
  forget(callerId: string): void;
}

interface Remembered {
  readonly caller: Caller;
  readonly until: number;
}

/**
 * Remembers found keys for a few seconds, so that not every request asks the database who sent it. Unknown keys are
 * asked every time: a key works as soon as it exists, and strangers cannot push the known ones out.
 */
export function createKeyCache(findKey: FindKey, options: KeyCacheOptions): KeyCache {
  const now = options.now ?? (() => performance.now());
  const maxKeys = options.maxKeys ?? 10_000;
  // By digest, so that a dump of the process's memory is no list of keys.
  const remembered = new Map<string, Remembered>();
  const forgotten = new Set<string>();

  async function findInStore(key: string, digest: string): Promise<Caller | null> {
    remembered.delete(digest);
    const caller = await findKey(key);
    if (caller === null || forgotten.has(caller.id)) return null;
    const [longest] = remembered.keys();
    if (longest !== undefined && remembered.size >= maxKeys) remembered.delete(longest);
    remembered.set(digest, { caller, until: now() + options.ttlMs });
    return caller;
  }

  return {
    async find(key) {
      const digest = secretDigest(key).toString('base64');
      const known = remembered.get(digest);
      return known !== undefined && known.until > now() ? known.caller : findInStore(key, digest);
    },
    forget(callerId) {
      // A question that is under way may still be answered with the key as it was before.
      forgotten.add(callerId);
      for (const [digest, { caller }] of remembered) {
        if (caller.id === callerId) remembered.delete(digest);
      }
    },
  };
}
