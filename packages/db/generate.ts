import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdir, readFile, readdir, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { setTimeout as sleep } from 'node:timers/promises';

// Generates Prisma's client when it is not there or the schema has changed since: in a tenth of a second otherwise.
// Commands that start at the same time take turns, so that none reads files that another is writing.

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const OUTPUT = join(ROOT, 'packages/db/src/generated');
const STAMP = join(OUTPUT, '.schema-digest');
const LOCK = join(ROOT, 'packages/db/node_modules/.generate-lock');
/** A lock this old belongs to a process that was killed; generating takes about a second. */
const STALE_MS = 60_000;

async function schemaDigest(): Promise<string> {
  const folder = join(ROOT, 'prisma/schema');
  const files = (await readdir(folder)).filter((name) => name.endsWith('.prisma')).toSorted();
  const texts = await Promise.all(
    [...files.map((name) => join(folder, name)), join(ROOT, 'package.json')].map((path) => readFile(path)),
  );
  const hash = createHash('sha256');
  for (const text of texts) hash.update(text);
  return hash.digest('hex');
}

async function isCurrent(digest: string): Promise<boolean> {
  const stamp = await readFile(STAMP, 'utf8').catch(() => '');
  return stamp === digest;
}

async function takeLock(): Promise<void> {
  for (;;) {
    try {
      await mkdir(LOCK);
      return;
    } catch {
      // Somebody else generates. Whether he still lives, the age of his lock tells.
      const age = await stat(LOCK).then(
        ({ mtimeMs }) => Date.now() - mtimeMs,
        () => 0,
      );
      if (age > STALE_MS) await rm(LOCK, { recursive: true, force: true });
    }
    await sleep(100);
  }
}

const digest = await schemaDigest();
if (!(await isCurrent(digest))) {
  await takeLock();
  try {
    if (!(await isCurrent(digest))) {
      const prisma = join(ROOT, 'node_modules/.bin/prisma');
      await promisify(execFile)(prisma, ['generate'], { cwd: ROOT });
      await writeFile(STAMP, digest);
    }
  } finally {
    await rm(LOCK, { recursive: true, force: true });
  }
}
