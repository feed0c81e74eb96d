import { createHash, randomBytes } from 'node:crypto';
import { arrayLiteral } from './connection/array-literal.ts';
import type { Handle, Statement } from './connection/handle.ts';
import { DaftariError } from './errors.ts';
import { isUuid, requestDigest, requireText } from './request.ts';
import { query } from './connection/handle.ts';

const SCOPES = ['read', 'transact', 'admin'] as const;

export type Scope = (typeof SCOPES)[number];

export interface ApiKey {
  readonly id: string;
  readonly name: string;
  readonly scopes: readonly Scope[];
}

export interface NewApiKey {
  readonly name: string;
  readonly scopes: readonly Scope[];
  /** The caller's own name for this request, 1 to 255 characters: repeated it makes no second key. */
  readonly idempotencyKey?: string;
}

/** A key that was made: `key` itself is shown this once, and is null in the answer to a repeat. */
export interface CreatedApiKey {
  readonly id: string;
  readonly key: string | null;
}

/**
 * Makes a key. Only its SHA-256 is kept, so a repeat with the same idempotency key gets the id but not the key: if the
 * first answer was lost, revoke that key and make another.
 *
 * @throws DaftariError `invalid_request` naming the field; `key_reused`
 */
export async function createApiKey(
  db: Handle,
  request: NewApiKey & { readonly idempotencyKey?: never },
): Promise<CreatedApiKey & { readonly key: string }>;
export async function createApiKey(db: Handle, request: NewApiKey): Promise<CreatedApiKey>;
export async function createApiKey(db: Handle, request: NewApiKey): Promise<CreatedApiKey> {
  const { name, scopes, idempotencyKey } = request;
  requireText('name', name, 100);
  const isFit = scopes.length > 0 && scopes.every((scope) => SCOPES.includes(scope));
  if (!isFit) throw new DaftariError('invalid_request', { field: 'scopes' });
  if (idempotencyKey !== undefined) requireText('idempotencyKey', idempotencyKey, 255);
  const granted = [...new Set(scopes)].toSorted();
  const key = `dk_${randomBytes(24).toString('base64url')}`;
  const [row] = await query<{ outcome: string; id: string }>(db, CREATE, [
    name,
    hashOf(key),
    arrayLiteral(granted),
    idempotencyKey ?? null,
    idempotencyKey === undefined ? null : requestDigest('api_key', [name, ...granted]),
  ]);
  if (row === undefined) throw new DaftariError('database_error');
  if (row.outcome === 'key_reused') throw new DaftariError('key_reused');
  return { id: row.id, key: row.outcome === 'created' ? key : null };
}

/** Whose key this is, or null when it is nobody's or revoked. */
export async function findApiKey(db: Handle, key: string): Promise<ApiKey | null> {
  const [row] = await query<{ id: string; name: string; scopes: string }>(db, FIND, [hashOf(key)]);
  if (row === undefined) return null;
  return { id: row.id, name: row.name, scopes: row.scopes.split(',') as Scope[] };
}

/** From now on nobody gets in with it. Repeated it does nothing. */
export async function revokeApiKey(db: Handle, id: string): Promise<void> {
  if (isUuid(id)) await query(db, REVOKE, [id]);
}

// A key has 192 random bits, so a plain hash keeps it as well as a slow one would.
function hashOf(key: string): string {
  return createHash('sha256').update(key).digest('hex');
}

const CREATE: Statement = {
  name: 'api_key_create',
  text: `SELECT outcome, id::text AS id FROM services.create_api_key($1::text, $2::text, $3::text[], $4::text, $5::text)`,
};

const FIND: Statement = {
  name: 'api_key_find',
  text: `SELECT id::text AS id, name, array_to_string(scopes, ',') AS scopes
  FROM services.api_keys WHERE key_hash = $1 AND revoked_at IS NULL`,
};

const REVOKE: Statement = {
  name: 'api_key_revoke',
  text: `SELECT services.revoke_api_key($1::uuid) IS NULL AS done`,
};
