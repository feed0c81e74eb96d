import type { Client } from 'pg';

/** Which server of a list may be used; libpq's `target_session_attrs`. */
export const SERVER_ROLES = [
  'any',
  'read-write',
  'primary',
  'read-only',
  'standby',
  'prefer-standby',
] as const;

export type ServerRole = (typeof SERVER_ROLES)[number];

/** What a session finds of its server. */
interface ServerState {
  readonly isStandby: boolean;
  readonly isReadOnly: boolean;
}

const FITS: Readonly<Record<ServerRole, (state: ServerState) => boolean>> = {
  any: () => true,
  'read-write': ({ isReadOnly }) => !isReadOnly,
  primary: ({ isStandby }) => !isStandby,
  'read-only': ({ isReadOnly }) => isReadOnly,
  standby: ({ isStandby }) => isStandby,
  // It is looked for as `standby` first, and as `any` when every server was tried.
  'prefer-standby': () => true,
};

/** A server answered that has not the role which `target_session_attrs` asks for. */
export class ServerRoleError extends Error {
  override readonly name = 'ServerRoleError';
  readonly code = 'server_role';
}

// A server in recovery takes no writes, so there the second is true as well.
const STATE = `SELECT pg_catalog.pg_is_in_recovery() AS "isStandby",
  pg_catalog.current_setting('transaction_read_only') = 'on' AS "isReadOnly"`;

/**
 * Asks a new session whether its server has the role. Servers say so by themselves when they connect, but a pooler in
 * between repeats what another server said before.
 *
 * @throws ServerRoleError when it has not
 */
export async function assertRole(client: Client, role: ServerRole): Promise<void> {
  if (role === 'any') return;
  const { rows } = await client.query<ServerState>(STATE);
  const [state] = rows;
  if (state !== undefined && FITS[role](state)) return;
  const is = state?.isStandby === true ? 'a standby' : 'a primary';
  throw new ServerRoleError(
    `the server is ${is}${state?.isReadOnly === true ? ' and takes no writes' : ''}, and target_session_attrs is ${role}`,
  );
}
