import { randomBytes } from 'node:crypto';
import { chown, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { connectTo, parseDatabaseUrl } from '@repo/database-url';
import type { Client } from 'pg';
import { type Account, findAccount, runAs } from './account.ts';
import { execute } from './database.ts';
import { poll } from './processes.ts';
import { type Server, startServer } from './server.ts';
import { chooseTemporaryDirectory, removeTemporaryDirectory } from './temporary.ts';

export interface StandbyOptions {
  /** Whether the primary waits for this standby at each commit. Default: false. */
  readonly isSynchronous?: boolean;
  /** As for the primary; default: true. */
  readonly durable?: boolean;
  readonly binaries?: string;
  /** Those that the primary was started with. */
  readonly settings?: Readonly<Record<string, string>>;
}

/** A hot standby that streams from a server of ours. `stop` removes its data. */
export interface Standby extends Server {
  /** Makes it a primary, and waits until it takes writes. */
  readonly promote: () => Promise<void>;
  /** Receives the log and does not apply it any more. */
  readonly pause: () => Promise<void>;
  readonly resume: () => Promise<void>;
}

const PROMOTE_SECONDS = 60;

/** Copies a running server and starts the copy as its standby, with a replication slot of its own. */
export async function startStandby(primary: Server, options: StandbyOptions = {}): Promise<Standby> {
  const name = `standby_${randomBytes(4).toString('hex')}`;
  const dataDirectory = await chooseTemporaryDirectory();
  const { binaries, durable = true, isSynchronous = false, settings = {} } = options;
  const client = await connectTo(primary.url);
  let server: Server;
  try {
    await client.query(`SELECT pg_create_physical_replication_slot('${name}', true)`);
    await copyCluster(client, { primary, copy: dataDirectory, name });
    server = await startServer({
      dataDirectory,
      durable,
      settings,
      ...(binaries === undefined ? {} : { binaries }),
    });
    await untilStreaming(client, name);
    if (isSynchronous) {
      await client.query(`ALTER SYSTEM SET synchronous_standby_names = '${name}'`);
      await client.query('SELECT pg_reload_conf()');
      await untilSynchronous(client);
    }
  } finally {
    await client.end();
  }
  const stop = async (): Promise<void> => {
    await server.stop();
    await removeTemporaryDirectory(dataDirectory);
  };
  // Who may connect is what the primary says.
  const url = new URL(primary.url);
  url.port = String(server.port);
  const ask = async (sql: string): Promise<void> => void (await execute(url.href, sql));
  return {
    ...server,
    url: url.href,
    stop,
    promote: () => ask(`SELECT pg_promote(true, ${String(PROMOTE_SECONDS)})`),
    pause: () => ask('SELECT pg_wal_replay_pause()'),
    resume: () => ask('SELECT pg_wal_replay_resume()'),
    [Symbol.asyncDispose]: stop,
  };
}

/** Takes a base backup through SQL alone: not every installation has pg_basebackup. */
async function copyCluster(
  client: Client,
  { primary, copy, name }: { readonly primary: Server; readonly copy: string; readonly name: string },
): Promise<void> {
  const { dataDirectory: source } = primary;
  const account = await findAccount(source);
  // The backup ends with the session, so both calls are made in one.
  await client.query(`SELECT pg_backup_start('standby', true)`);
  await copyFolder(account, source, copy);
  const { rows } = await client.query<{ label: string }>(
    'SELECT labelfile AS label FROM pg_backup_stop(false)',
  );
  await own(account, join(copy, 'backup_label'), rows[0]?.label ?? '');
  await own(account, join(copy, 'standby.signal'), '');
  // In its own file, so that it is still a standby when somebody starts it again.
  const settings = `primary_conninfo = '${conninfoOf(primary, name)}'\nprimary_slot_name = '${name}'\n`;
  await own(account, join(copy, 'postgresql.auto.conf'), settings);
}

/** What belongs to the running server alone, and its log, which is streamed. */
const LEFT_OUT = [
  './postmaster.*',
  './lease.*',
  './server.log*',
  './pg_wal/*',
  './pg_replslot/*',
  './postgresql.auto.conf',
];

// The exit code is that of the second: the first minds files that change meanwhile, and recovery does not.
const COPY =
  'mkdir -m 700 -- "$2" && shift 2 && { tar -C "$FROM" "$@" -cf - . || true; } | tar -C "$TO" -xf -';

async function copyFolder(account: Account | undefined, source: string, copy: string): Promise<void> {
  const excluded = LEFT_OUT.map((pattern) => `--exclude=${pattern}`);
  const script = `FROM=$1; TO=$2; ${COPY}`;
  await runAs(account, '/bin/sh', ['-c', script, 'copy', source, copy, ...excluded]);
}

async function own(account: Account | undefined, path: string, text: string): Promise<void> {
  await writeFile(path, text, { mode: 0o644 });
  if (account !== undefined) await chown(path, account.uid, account.gid);
}

function conninfoOf({ url }: Server, name: string): string {
  const { host, port, user, password } = parseDatabaseUrl(url);
  return `host=${host} port=${port} user=${user} password=${String(password)} application_name=${name}`;
}

const STREAMING_MILLISECONDS = 60_000;

async function untilStreaming(client: Client, name: string): Promise<void> {
  await untilTrue(client, `application_name = '${name}' AND state = 'streaming'`);
}

async function untilSynchronous(client: Client): Promise<void> {
  await untilTrue(client, `sync_state = 'sync'`);
}

async function untilTrue(client: Client, condition: string): Promise<void> {
  const found = await poll(async () => {
    const { rows } = await client.query<{ found: boolean }>(
      `SELECT count(*) > 0 AS found FROM pg_stat_replication WHERE ${condition}`,
    );
    return rows[0]?.found === true ? true : undefined;
  }, STREAMING_MILLISECONDS);
  if (found === undefined) throw new Error(`the standby did not get so far: ${condition}`);
}
