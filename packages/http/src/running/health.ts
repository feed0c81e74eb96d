import { z } from 'zod';
import { within } from './deadline.ts';
import type { Lifecycle } from './lifecycle.ts';
import { httpProblem } from '../problems/problem.ts';
import type { HttpServer } from '../http-server.ts';

/** Resolves when the service can do its work, rejects when it cannot (its database is away, say). */
export type ReadinessCheck = () => Promise<void>;

/** A check that has not answered by then counts as failed: probes give up after a few seconds themselves. */
const CHECK_DEADLINE_MS = 2_000;

const status = z.object({ status: z.string() }).meta({ id: 'Health' });

/** Adds `GET /health/live` (the process runs) and `GET /health/ready` (it can do its work now). */
export function addHealthRoutes(app: HttpServer, lifecycle: Lifecycle, check: ReadinessCheck): void {
  const checkOnce = shareWhileRunning(check);

  app.get(
    '/health/live',
    {
      schema: {
        operationId: 'getLiveness',
        summary: 'The process runs.',
        tags: ['operations'],
        response: { 200: status },
      },
    },
    () => ({ status: 'live' }),
  );

  app.get(
    '/health/ready',
    {
      schema: {
        operationId: 'getReadiness',
        summary: 'The service can do its work; 503 while it starts, stops, or lacks its database.',
        description:
          'With `reason` `schema_outdated` or `schema_newer` the database is that of an older or a newer release; with `database_not_primary` it is a standby, with `database_not_durable` it would lose what it acknowledges.',
        tags: ['operations'],
        response: { 200: status },
      },
    },
    async () => {
      if (lifecycle.phase !== 'running')
        throw httpProblem('not_ready', { detail: `It is ${lifecycle.phase}.` });
      try {
        await within(CHECK_DEADLINE_MS, checkOnce());
      } catch (cause) {
        throw httpProblem('not_ready', { ...reasonOf(cause), cause });
      }
      return { status: 'ready' };
    },
  );
}

/** What strangers may read: it says what to do and nothing of the database. */
const DETAILS: Readonly<Record<string, string>> = {
  schema_outdated: 'The database lacks migrations of this release: deploy them.',
  schema_newer: 'The database has migrations of a newer release: run that release.',
  database_not_primary: 'The database is a standby or takes no writes: lead the service to the primary.',
  database_not_durable: 'The database would lose what it acknowledges: set it right; the log says how.',
};

function reasonOf(cause: unknown): { readonly reason?: string; readonly detail: string } {
  const code = cause instanceof Error && 'code' in cause ? String(cause.code) : '';
  const detail = DETAILS[code];
  return detail === undefined
    ? { detail: 'Something that it depends on cannot be reached.' }
    : { reason: code, detail };
}

/** Many probes at once cost one check. */
function shareWhileRunning(check: ReadinessCheck): ReadinessCheck {
  let running: Promise<void> | null = null;
  return () => {
    running ??= check().finally(() => {
      running = null;
    });
    return running;
  };
}
