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
          'With `reason` `schema_outdated` or `schema_newer` the database is that of an older or a newer release.',
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
function reasonOf(cause: unknown): { readonly reason?: string; readonly detail: string } {
  const code = cause instanceof Error && 'code' in cause ? cause.code : null;
  if (code === 'schema_outdated') {
    return { reason: code, detail: 'The database lacks migrations of this release: deploy them.' };
  }
  if (code === 'schema_newer') {
    return { reason: code, detail: 'The database has migrations of a newer release: run that release.' };
  }
  return { detail: 'Something that it depends on cannot be reached.' };
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
