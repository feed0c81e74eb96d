import { execFile } from 'node:child_process';
import { mkdir, rm, stat, utimes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { setTimeout as sleep } from 'node:timers/promises';
import { readCommandLine } from '@repo/command/command-line';
import { CLIENT_PLACE, isClientCurrent, schemaDigest, stampOf } from './src/connection/schema-digest.ts';

// Runs after every installation, and before tests and checks, which must not see an old client after a change of the
// models.

const ROOT = join(import.meta.dirname, '../..');
const LOCK = join(ROOT, 'packages/db/node_modules/.generate-lock');
/** A lock this old belongs to a process that was killed: its owner renews it, however long a busy machine generates. */
const STALE_MS = 60_000;
const RENEWED_EVERY_MS = 5_000;

/**
 * Generates Prisma's client when it is not there or the models have changed since; otherwise it only compares digests.
 * Commands that start at the same time take turns, so that none reads files that another is writing.
 */
export default async function generate(): Promise<void> {
  if (isClientCurrent(CLIENT_PLACE)) return;
  await takeLock();
  const renewing = setInterval(renewLock, RENEWED_EVERY_MS);
  try {
    if (isClientCurrent(CLIENT_PLACE)) return;
    const digest = schemaDigest(CLIENT_PLACE);
    const prisma = join(ROOT, 'node_modules/.bin/prisma');
    await promisify(execFile)(prisma, ['generate'], { cwd: ROOT });
    await writeFile(stampOf(CLIENT_PLACE), digest ?? '');
  } finally {
    clearInterval(renewing);
    await rm(LOCK, { recursive: true, force: true });
  }
}

function renewLock(): void {
  const now = new Date();
  // Without the lock there is nothing to renew, and the work goes on all the same.
  utimes(LOCK, now, now).catch(() => undefined);
}

async function takeLock(): Promise<void> {
  for (;;) {
    try {
      await mkdir(LOCK);
      return;
    } catch {
      // Another process generates. The age of its lock shows whether it is still alive.
      const age = await stat(LOCK).then(
        ({ mtimeMs }) => Date.now() - mtimeMs,
        () => 0,
      );
      if (age > STALE_MS) await rm(LOCK, { recursive: true, force: true });
    }
    await sleep(100);
  }
}

const USAGE = `Usage: generate

Generates Prisma's client from prisma/schema, if it is not that of the models as they are. Installing does this too.

Exit codes: 0 the client is current, 1 it could not be generated, 2 the command line cannot be used.`;

if (import.meta.main) {
  readCommandLine(USAGE);
  await generate();
}
