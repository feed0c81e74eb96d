import { createHash, randomBytes } from 'node:crypto';
import { arrayLiteral } from './array-literal.ts';
import type { Handle } from './db.ts';
import { DaftariError } from './errors.ts';
import { isUuid, requireText } from './request.ts';
import { query } from './statement.ts';
import type { Statement } from './statement.ts';

const SCOPES = ['read', 'transact', 'admin'] as const;

export type Scope = (typeof SCOPES)[number];

export interface ApiKey {
  readonly id: string;
  readonly name: string;
  readonly scopes: readonly Scope[];
}

/** Makes a key for somebody. The key itself is shown this once; what is kept is its SHA-256. */
export async function createApiKey(
  db: Handle,
  request: { readonly name: string; readonly scopes: readonly Scope[] },
): Promise<{ readonly id: string; readonly key: string }> {
  requireText('name', request.name, 100);
  const isFit = request.scopes.length > 0 && request.scopes.every((scope) => SCOPES.includes(scope));
  if (!isFit) throw new DaftariError('invalid_request', { field: 'scopes' });
  const key = `dk_${randomBytes(24).toString('base64url')}`;
  const [row] = await query<{ id: string }>(db, CREATE, [
    request.name,
    hashOf(key),
    arrayLiteral([...new Set(request.scopes)]),
  ]);
  if (row === undefined) throw new DaftariError('database_error');
  return { id: row.id, key };
}

/** Whose key this is, or null when it is nobody's or revoked. */
export async function findApiKey(db: Handle, key: string): Promise<ApiKey | null> {
  const [row] = await query<{ id: string; name: string; scopes: string }>(db, FIND, [hashOf(key)]);
  if (row === undefined) return null;
  return { id: row.id, name: row.name, scopes: row.scopes.split(',') as Scope[] };
}

/** From now on nobody gets in with it. Said again it does nothing. */
export async function revokeApiKey(db: Handle, id: string): Promise<void> {
  if (isUuid(id)) await query(db, REVOKE, [id]);
}

// A key has 192 random bits, so a plain hash keeps it as well as a slow one would.
function hashOf(key: string): string {
  return createHash('sha256').update(key).digest('hex');
}

const CREATE: Statement = {
  name: 'api_key_create',
  text: `INSERT INTO services.api_keys (name, key_hash, scopes) VALUES ($1, $2, $3::text[]) RETURNING id::text AS id`,
};

const FIND: Statement = {
  name: 'api_key_find',
  text: `SELECT id::text AS id, name, array_to_string(scopes, ',') AS scopes
  FROM services.api_keys WHERE key_hash = $1 AND revoked_at IS NULL`,
};

const REVOKE: Statement = {
  name: 'api_key_revoke',
  text: `UPDATE services.api_keys SET revoked_at = now() AT TIME ZONE 'UTC' WHERE id = $1::uuid AND revoked_at IS NULL`,
};
