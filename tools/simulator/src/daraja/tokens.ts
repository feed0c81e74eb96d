import type { Random } from '../random.ts';

const ALPHABET = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789';
const TOKEN_LENGTH = 28;

/** The access tokens of one consumer. */
export interface Tokens {
  /** A new token; the one before it is worth nothing from now on. */
  issue(): string;
  accepts(token: string): boolean;
  /** Ends the token that is valid, as Safaricom may at any time. */
  revoke(): void;
  /** How many were issued. */
  readonly issued: number;
}

export function createTokens(options: {
  readonly random: Random;
  readonly now: () => Date;
  readonly lifetimeS: () => number;
}): Tokens {
  let current: { readonly token: string; readonly until: number } | null = null;
  let issued = 0;
  return {
    issue() {
      const token = options.random.text(TOKEN_LENGTH, ALPHABET);
      current = { token, until: options.now().getTime() + options.lifetimeS() * 1_000 };
      issued += 1;
      return token;
    },
    accepts: (token) => token === current?.token && options.now().getTime() < current.until,
    revoke() {
      current = null;
    },
    get issued() {
      return issued;
    },
  };
}
