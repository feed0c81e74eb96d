import { execFile } from 'node:child_process';
import { createDb } from '@repo/db';
import { execute } from '@repo/postgres/database';
import { Connection } from '@repo/schema-engine/connection';
import { parseConnectionUrl } from '@repo/schema-engine/connection-url';
import { afterAll, describe, expect, it } from 'vitest';
import { withConnection } from './connection.ts';
import { runCommandLine } from './fixtures/run-command.ts';
import { startTlsServer } from './fixtures/tls-server.ts';
import type { TlsServer } from './fixtures/tls-server.ts';

/** How a reader got in, if it did. */
type Way = 'encrypted' | 'plain' | 'refused';

const IS_ENCRYPTED = 'SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()';

function wayOf(ssl: unknown): Way {
  return ssl === true ? 'encrypted' : 'plain';
}

/** Everything that reads DATABASE_URL, and libpq, whose meaning it is. */
const READERS: Readonly<Record<string, (url: string) => Promise<Way>>> = {
  'the services': async (url) => {
    const db = createDb({ url, maxConnections: 2 });
    try {
      const [pooled] = await db.prisma.$queryRawUnsafe<{ ssl: boolean }[]>(IS_ENCRYPTED);
      const own = await db.connect?.();
      const { rows } = (await own?.query<{ ssl: boolean }>(IS_ENCRYPTED)) ?? { rows: [] };
      await own?.end();
      expect(rows[0]?.ssl).toBe(pooled?.ssl);
      return wayOf(pooled?.ssl);
    } finally {
      await db.close();
    }
  },
  'the db commands': (url) =>
    withConnection(url, async (client) => wayOf((await client.query(IS_ENCRYPTED)).rows[0]?.ssl)),
  'the development tools': async (url) => wayOf((await execute(url, IS_ENCRYPTED))[0]?.['ssl']),
  'the schema engine': async (url) => {
    const connection = await Connection.open(parseConnectionUrl(url));
    try {
      const { rows } = await connection.query(IS_ENCRYPTED);
      return wayOf(rows[0]?.[0] === 't');
    } finally {
      await connection.close();
    }
  },
  libpq: async (url) => {
    const output = await outputOf('psql', [
      '--no-psqlrc',
      '--tuples-only',
      '--no-align',
      '-c',
      IS_ENCRYPTED,
      url,
    ]);
    return wayOf(output.trim() === 't');
  },
};

function outputOf(command: string, args: readonly string[]): Promise<string> {
  return new Promise((resolve, reject) => {
    execFile(command, args, (error, stdout) => (error === null ? resolve(stdout) : reject(error)));
  });
}

const hasLibpq = await outputOf('psql', ['--version']).then(
  () => true,
  () => false,
);

const servers = await startServers();
afterAll(async () => {
  await Promise.all(Object.values(servers).map((server) => server[Symbol.asyncDispose]()));
});

async function startServers(): Promise<Readonly<Record<'on' | 'off', TlsServer>>> {
  return { on: await startTlsServer({ ssl: true }), off: await startTlsServer({ ssl: false }) };
}

/** The URL of a server with parameters; AUTHORITY and STRANGER stand for files. */
function urlOf(
  server: TlsServer,
  { query = '', host = 'localhost' }: { query?: string; host?: string },
): string {
  const url = new URL(server.url);
  url.hostname = host;
  const files = query.replace('AUTHORITY', server.authority).replace('STRANGER', server.stranger);
  return `${url.href}${files === '' ? '' : `?${files}`}`;
}

async function waysInto(url: string): Promise<Record<string, Way>> {
  const ways: Record<string, Way> = {};
  for (const [name, read] of Object.entries(READERS)) {
    if (name === 'libpq' && !hasLibpq) continue;
    ways[name] = await read(url).catch(() => 'refused');
  }
  return ways;
}

/** The same for every reader. */
function everybody(way: Way): Record<string, Way> {
  const names = Object.keys(READERS).filter((name) => name !== 'libpq' || hasLibpq);
  return Object.fromEntries(names.map((name) => [name, way]));
}

interface Case {
  readonly query: string;
  readonly on: Way;
  readonly off: Way;
  readonly host?: string;
}

const CASES: readonly Case[] = [
  { query: '', on: 'encrypted', off: 'plain' },
  { query: 'sslmode=disable', on: 'plain', off: 'plain' },
  { query: 'sslmode=allow', on: 'plain', off: 'plain' },
  { query: 'sslmode=prefer', on: 'encrypted', off: 'plain' },
  { query: 'sslmode=require', on: 'encrypted', off: 'refused' },
  { query: 'sslmode=require&sslrootcert=AUTHORITY', on: 'encrypted', off: 'refused' },
  { query: 'sslmode=require&sslrootcert=AUTHORITY', on: 'encrypted', off: 'refused', host: '127.0.0.1' },
  { query: 'sslmode=require&sslrootcert=STRANGER', on: 'refused', off: 'refused' },
  { query: 'sslmode=verify-ca&sslrootcert=AUTHORITY', on: 'encrypted', off: 'refused' },
  { query: 'sslmode=verify-ca&sslrootcert=AUTHORITY', on: 'encrypted', off: 'refused', host: '127.0.0.1' },
  { query: 'sslmode=verify-ca&sslrootcert=STRANGER', on: 'refused', off: 'refused' },
  { query: 'sslmode=verify-ca', on: 'refused', off: 'refused' },
  { query: 'sslmode=verify-full&sslrootcert=AUTHORITY', on: 'encrypted', off: 'refused' },
  { query: 'sslmode=verify-full&sslrootcert=AUTHORITY', on: 'refused', off: 'refused', host: '127.0.0.1' },
  { query: 'sslmode=verify-full&sslrootcert=STRANGER', on: 'refused', off: 'refused' },
  { query: 'sslmode=verify-full', on: 'refused', off: 'refused' },
  { query: 'sslmode=maybe', on: 'refused', off: 'refused' },
];

describe.each(['on', 'off'] as const)('on a server with ssl %s', (ssl) => {
  it.each(CASES)('"$query" means the same to everybody (host $host)', async (one) => {
    const url = urlOf(servers[ssl], one);
    expect(await waysInto(url)).toEqual(everybody(one[ssl]));
  });
});

describe('on a server whose rules admit one way only', () => {
  it('prefer goes without TLS and allow with it, where the first way is refused', async () => {
    await using server = await startTlsServer({ ssl: true });
    await server.admitOnly('hostnossl');
    expect(await waysInto(urlOf(server, { query: 'sslmode=prefer' }))).toEqual(everybody('plain'));
    expect(await waysInto(urlOf(server, { query: 'sslmode=require' }))).toEqual(everybody('refused'));
    await server.admitOnly('hostssl');
    expect(await waysInto(urlOf(server, { query: 'sslmode=allow' }))).toEqual(everybody('encrypted'));
    expect(await waysInto(urlOf(server, { query: 'sslmode=disable' }))).toEqual(everybody('refused'));
  });
});

describe('db:deploy', () => {
  it('migrates over TLS and then looks at the same database in the same way', async () => {
    const url = new URL(urlOf(servers.on, { query: 'sslmode=require' }));
    url.pathname = '/over_tls';
    const { exitCode, stdout, stderr } = await runCommandLine('deploy', url.href);
    expect(exitCode, stderr).toBe(0);
    expect(stdout).toContain('none pending');
  });
});
