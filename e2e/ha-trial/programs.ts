import { access, constants } from 'node:fs/promises';
import { join } from 'node:path';

/** Where the programs of a cluster are, which the operating system brings. */
export interface Programs {
  readonly patroni: string;
  readonly etcd: string;
  /** The folder of PostgreSQL's programs, pg_rewind and pg_basebackup among them. */
  readonly postgres: string;
  /** Null where it is not installed: it is only needed in front of clients that know one address. */
  readonly haproxy: string | null;
}

const FOLDERS = ['/usr/bin', '/usr/sbin', '/usr/local/bin', '/opt/patroni/bin'];
const VERSIONS = [18, 17, 16, 15];

/** Finds the programs; where some are missing, their names. */
export async function findPrograms(): Promise<
  { readonly programs: Programs } | { readonly missing: readonly string[] }
> {
  const [patroni, etcd, haproxy, postgres] = await Promise.all([
    find('patroni'),
    find('etcd'),
    find('haproxy'),
    findPostgres(),
  ]);
  if (patroni !== null && etcd !== null && postgres !== null) {
    return { programs: { patroni, etcd, haproxy, postgres } };
  }
  const missing = [
    ...(patroni === null ? ['patroni'] : []),
    ...(etcd === null ? ['etcd'] : []),
    ...(postgres === null ? ['PostgreSQL 15 to 18 with pg_rewind'] : []),
  ];
  return { missing };
}

async function find(name: string): Promise<string | null> {
  for (const folder of FOLDERS) if (await isProgram(join(folder, name))) return join(folder, name);
  return null;
}

async function findPostgres(): Promise<string | null> {
  for (const version of VERSIONS) {
    const folder = `/usr/lib/postgresql/${String(version)}/bin`;
    const needed = ['postgres', 'initdb', 'pg_rewind', 'pg_basebackup'].map((name) => join(folder, name));
    if ((await Promise.all(needed.map(isProgram))).every(Boolean)) return folder;
  }
  return null;
}

async function isProgram(path: string): Promise<boolean> {
  return access(path, constants.X_OK).then(
    () => true,
    () => false,
  );
}
