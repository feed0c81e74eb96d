import { query } from '../connection/handle.ts';
import type { Handle, Statement } from '../connection/handle.ts';
import { DaftariError } from '../errors.ts';

/** The shared token as it is stored, or the task to fetch a new one, or that another process fetches it. */
export type DarajaTokenClaim =
  | { readonly kind: 'token'; readonly token: Uint8Array }
  | { readonly kind: 'refresh' }
  | { readonly kind: 'wait' };

export interface DarajaTokenRequest {
  /** 64 hex digits that name the account at Daraja. */
  readonly client: string;
  /** The token, as stored, that was refused; null for none. */
  readonly refused: Uint8Array | null;
  /** A token that ends sooner is not given any more. */
  readonly marginMs: number;
  /** How long the caller may take to fetch one. */
  readonly leaseMs: number;
}

/** Asks for the token that all processes share. Of many callers one is told to fetch a new one. */
export async function claimDarajaToken(db: Handle, request: DarajaTokenRequest): Promise<DarajaTokenClaim> {
  const { client, refused, marginMs, leaseMs } = request;
  const [row] = await query<TokenRow>(db, CLAIM, [client, refused, marginMs, leaseMs]);
  if (row === undefined) throw new DaftariError('database_error');
  if (row.token !== null) return { kind: 'token', token: Buffer.from(row.token, 'hex') };
  return { kind: row.must_refresh ? 'refresh' : 'wait' };
}

/** Keeps a token for all processes; null when it could not be fetched, so that another one may try. */
export async function storeDarajaToken(
  db: Handle,
  {
    client,
    token,
    validMs,
  }: { readonly client: string; readonly token: Uint8Array | null; readonly validMs: number },
): Promise<void> {
  await query(db, STORE, [client, token, validMs]);
}

interface TokenRow {
  readonly token: string | null;
  readonly must_refresh: boolean;
}

const CLAIM: Statement = {
  name: 'daraja_token_claim',
  text: `
SELECT encode(token, 'hex') AS token, must_refresh
  FROM services.claim_daraja_token($1::text, $2::bytea, $3::integer, $4::integer)`,
};

const STORE: Statement = {
  name: 'daraja_token_store',
  text: `SELECT services.store_daraja_token($1::text, $2::bytea, $3::integer)::text AS done`,
};
