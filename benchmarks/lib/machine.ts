import { closeSync, fdatasyncSync, openSync, rmSync, writeSync } from 'node:fs';
import { readFile, statfs } from 'node:fs/promises';
import { arch, cpus, loadavg, release, totalmem, type } from 'node:os';
import { dirname, join } from 'node:path';
import { execute } from '@repo/postgres/database';
import type { Server } from '@repo/postgres/server';
import { percentile } from './percentiles.ts';

/** Where the figures come from. */
export interface Machine {
  readonly processor: string;
  readonly cores: number;
  readonly memoryGiB: number;
  readonly system: string;
  readonly node: string;
  readonly postgres: string;
  /** The flags that its C compiler was given. */
  readonly postgresFlags: string;
  /** Settings that decide what a commit costs. */
  readonly postgresSettings: string;
  /** Writing 8 KiB through to the disk on which the database lies; milliseconds. */
  readonly syncP50: number;
  readonly syncP99: number;
  /** Whether that is a disk at all, and not memory. */
  readonly isDisk: boolean;
  /** What the machine had to do before the benchmark began: processes that wanted to run, over a minute. */
  readonly loadBefore: number;
}

const SYNCS = 300;

/** The magic number of Linux's file system in memory. */
const TMPFS = 0x01_02_19_94;

export async function describeMachine(server: Server): Promise<Machine> {
  const [loadBefore = Number.NaN] = loadavg();
  const folder = dirname(server.dataDirectory);
  const [facts] = await execute(server.url, FACTS);
  const syncs = timeSyncs(join(folder, `daftari-sync-${String(process.pid)}`));
  return {
    processor: cpus()[0]?.model ?? 'unknown processor',
    cores: cpus().length,
    memoryGiB: totalmem() / 2 ** 30,
    // Of the kernel's release the version is enough; the rest names a build.
    system: `${await systemName()}, ${type()} ${/^[\d.]+/.exec(release())?.[0] ?? release()} (${arch()})`,
    node: process.version,
    postgres: String(facts?.['version']),
    postgresFlags: String(facts?.['flags']),
    postgresSettings: String(facts?.['settings']),
    syncP50: percentile(syncs, 50),
    syncP99: percentile(syncs, 99),
    isDisk: (await statfs(folder)).type !== TMPFS,
    loadBefore,
  };
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

async function systemName(): Promise<string> {
  try {
    const text = await readFile('/etc/os-release', 'utf8');
    return /^PRETTY_NAME="?([^"\n]*)/m.exec(text)?.[1] ?? type();
  } catch {
    // Only Linux has this file; elsewhere the kernel's name says it.
    return type();
  }
}

const FACTS = `
SELECT version() AS version,
       (SELECT setting FROM pg_config WHERE name = 'CFLAGS') AS flags,
       (
           SELECT string_agg(name || ' = ' || current_setting(name), ', ' ORDER BY name)
             FROM pg_settings
            WHERE name IN ('fsync', 'synchronous_commit', 'wal_sync_method', 'full_page_writes', 'shared_buffers')
       ) AS settings`;
