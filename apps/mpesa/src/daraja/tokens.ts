import { setTimeout as sleep } from 'node:timers/promises';
import { claimDarajaToken, storeDarajaToken } from '@repo/db';
import type { Handle } from '@repo/db';
import type { TokenSeal } from './token-seal.ts';

/** A token that was just fetched. */
export interface FetchedToken {
  readonly token: string;
  readonly validMs: number;
}

/** The token of all processes, with what it is stored as. */
export interface SharedToken {
  readonly token: string;
  readonly stored: Uint8Array;
}

export interface SharedTokens {
  /**
   * The token that is valid now. `refused` is one that M-PESA no longer takes. Null when none can be had: one could not be
   * fetched, or another process took too long to fetch it.
   */
  get(refused?: SharedToken): Promise<SharedToken | null>;
}

export interface SharedTokensOptions {
  readonly db: Handle;
  readonly seal: TokenSeal;
  readonly fetch: () => Promise<FetchedToken | null>;
  /** How long a process may take to fetch one, and the others wait for it; milliseconds. */
  readonly leaseMs: number;
}

/** A token is not used in the last minute of its life: a request must not outlive it. */
const MARGIN_MS = 60_000;

const WAIT_MS = 50;

/**
 * The one access token of all processes. A new token ends the old one (as the portal says), so it lies in the database, and
 * of all who find it old or refused one fetches the next.
 */
export function createSharedTokens({ db, seal, fetch, leaseMs }: SharedTokensOptions): SharedTokens {
  async function refresh(): Promise<SharedToken | null> {
    const fetched = await fetch();
    const stored = fetched === null ? null : seal.seal(fetched.token);
    await storeDarajaToken(db, { client: seal.client, token: stored, validMs: fetched?.validMs ?? 0 });
    return fetched === null || stored === null ? null : { token: fetched.token, stored };
  }

  return {
    async get(refusedToken) {
      let refused = refusedToken?.stored ?? null;
      const deadline = performance.now() + leaseMs;
      while (performance.now() < deadline) {
        const claim = await claimDarajaToken(db, {
          client: seal.client,
          refused,
          marginMs: MARGIN_MS,
          leaseMs,
        });
        if (claim.kind === 'refresh') return refresh();
        if (claim.kind === 'token') {
          const token = seal.open(claim.token);
          if (token !== null) return { token, stored: claim.token };
          refused = claim.token;
        } else await sleep(WAIT_MS);
      }
      return null;
    },
  };
}
