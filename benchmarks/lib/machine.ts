import { closeSync, fdatasyncSync, openSync, rmSync, writeSync } from 'node:fs';
import { readFile, statfs } from 'node:fs/promises';
import { arch, cpus, loadavg, release, totalmem, type } from 'node:os';
import { dirname, join } from 'node:path';
import { execute } from '@repo/postgres/database';
import type { Server } from '@repo/postgres/server';
import { rounded, whole } from './markdown.ts';
import { percentile } from './percentiles.ts';

const SYNCS = 300;

/** The magic number of Linux's file system in memory. */
const TMPFS = 0x01_02_19_94;

/** All that decides what a commit costs, and how busy the machine was before: a Markdown list. */
export async function describeMachine(server: Server): Promise<string> {
  const [loadBefore = Number.NaN] = loadavg();
  const folder = dirname(server.dataDirectory);
  const [row] = await execute(server.url, FACTS);
  const syncs = timeSyncs(join(folder, `daftari-sync-${String(process.pid)}`));
  // How hard the compiler tried, which may be for size instead of speed (-Os).
  const level = String(row?.['flags']).match(/-O\S*/g)?.at(-1) ?? 'no -O flag';
  const processor = cpus()[0]?.model ?? 'unknown processor';
  const memory = rounded(totalmem() / 2 ** 30);
  // Of the kernel's release the version is enough; the rest names a build.
  const kernel = /^[\d.]+/.exec(release())?.[0] ?? release();
  const facts = [
    `${processor}, ${whole(cpus().length)} cores, ${memory} GiB of memory; load average before the run: ${rounded(loadBefore)}`,
    `${await systemName()}, ${type()} ${kernel} (${arch()}); Node ${process.version}`,
    `${String(row?.['version'])}, the binaries from npm, built with \`${level}\``,
    `\`${String(row?.['settings'])}\`, as PostgreSQL comes`,
    `8 KiB written through to the disk (fdatasync): p50 ${rounded(percentile(syncs, 50))} ms, p99 ${rounded(percentile(syncs, 99))} ms`,
  ];
  if ((await statfs(folder)).type === TMPFS) {
    facts.push('**the database lay in memory and not on a disk, so commits cost nothing**');
  }
  return facts.map((fact) => `- ${fact}`).join('\n');
}

/** How long one page takes to the disk, as PostgreSQL's log writes it: over what is there, then fdatasync. */
function timeSyncs(path: string): Float64Array {
  const page = Buffer.alloc(8_192, 1);
  const file = openSync(path, 'w');
  try {
    return Float64Array.from({ length: SYNCS }, () => {
      const begun = performance.now();
      writeSync(file, page, 0, page.length, 0);
      fdatasyncSync(file);
      return performance.now() - begun;
    }).toSorted();
  } finally {
    closeSync(file);
    rmSync(path);
  }
}

/** Only Linux has this file; elsewhere the kernel's name says it. */
async function systemName(): Promise<string> {
  const text = await readFile('/etc/os-release', 'utf8').catch(() => '');
  return /^PRETTY_NAME="?([^"\n]*)/m.exec(text)?.[1] ?? type();
}

const FACTS = `
SELECT version() AS version,
       (SELECT setting FROM pg_config WHERE name = 'CFLAGS') AS flags,
       (
           SELECT string_agg(name || ' = ' || current_setting(name), ', ' ORDER BY name)
             FROM pg_settings
            WHERE name IN ('fsync', 'synchronous_commit', 'wal_sync_method', 'full_page_writes', 'shared_buffers')
       ) AS settings`;
