/** Asks for the process that serves a connection: `SELECT pg_backend_pid()`, outside any transaction. */
export type AskServer = () => Promise<string>;

const ROUNDS = 4;

/**
 * Whether a pooler that hands out its connections by the transaction stands between: two connections that are open at the
 * same time are then served by one process, or one of them by several. Without it each has one process of its own,
 * whatever else forwards the bytes (address translation, a proxy, a pooler by the session).
 */
export async function isPooled(first: AskServer, second: AskServer): Promise<boolean> {
  const seen = [new Set<string>(), new Set<string>()] as const;
  for (let round = 0; round < ROUNDS; round += 1) {
    seen[0].add(await first());
    seen[1].add(await second());
  }
  return seen[0].size > 1 || seen[1].size > 1 || [...seen[0]].some((process) => seen[1].has(process));
}

/** What is refused behind such a pooler, and why. */
export const POOLED =
  'DATABASE_URL leads to a connection pooler that hands out connections by the transaction (PgBouncer). The migration lock ' +
  'belongs to a session: it would stay behind and block every later deploy. Migrate with a URL that leads to the server ' +
  'itself.';
