import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { createDatabase, execute } from '@repo/postgres/database';
import { startServer } from '@repo/postgres/server';
import type { Server } from '@repo/postgres/server';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { withConnection } from '../connection.ts';
import { deploy } from '../deployment.ts';
import { findInstallation, pgDump } from '../fixtures/installation.ts';
import type { ListedObject } from '../fixtures/installation.ts';
import { repository } from '../fixtures/temporary-project.ts';
import type { DumpObject } from './dump-object.ts';
import { renderDump } from './dump-text.ts';
import { readDump } from './read-dump.ts';

const installation = await findInstallation();
if (installation === null) {
  process.stderr.write(
    '\n*** NO POSTGRESQL WITH pg_dump FOUND: the dump is NOT compared with it (apt-get install postgresql). ***\n\n',
  );
}

const everyKind = join(import.meta.dirname, '..', 'fixtures', 'every-kind.sql');

/** What pg_dump shows as an object of its own, and our dump as a part of its table or index. */
const PARTS = ['DEFAULT', 'SEQUENCE OWNED BY', 'TABLE ATTACH', 'INDEX ATTACH', 'ROW SECURITY'];

/** The kinds of our dump that pg_dump calls otherwise. */
const KINDS: Record<string, string> = {
  'FK CONSTRAINT': 'foreign key',
  'CHECK CONSTRAINT': 'constraint',
  PROCEDURE: 'function',
};

/** One name for an object of ours and of pg_dump's: `trigger core.wallets wallets_open_empty`. */
function nameOf({ kind, name }: DumpObject): string {
  const [subject = '', table = ''] = name.replaceAll('"', '').split(' on ');
  if (kind === 'index') return `index ${table.slice(0, table.indexOf('.'))}.${subject}`;
  if (table !== '') return `${kind} ${table} ${subject}`;
  return `${kind} ${withoutArguments(subject)}`;
}

/** The same of an object of pg_dump's; null for what is a part of another in our dump. */
function nameOfListed(
  { type, schema, tag, sql }: ListedObject,
  attached: ReadonlySet<string>,
): string | null {
  if (PARTS.includes(type) || sql.includes(' ADD GENERATED ') || attached.has(tag)) return null;
  const kind = KINDS[type] ?? type.toLowerCase();
  return `${kind} ${schema === '-' ? '' : `${schema}.`}${withoutArguments(tag)}`;
}

function withoutArguments(name: string): string {
  return name.replace(/\(.*$/, '');
}

describe.skipIf(installation === null)('beside pg_dump', () => {
  let server: Server;

  beforeAll(async () => {
    server = await startServer({ durable: false, binaries: installation ?? '' });
  });
  afterAll(() => server.stop());

  async function migrated(name: string): Promise<string> {
    const url = await createDatabase(server.url, name);
    const { exitCode, output } = await deploy({ project: repository, url, output: 'keep' });
    expect([exitCode, exitCode === 0 ? '' : output]).toEqual([0, '']);
    return url;
  }

  async function madeFrom(path: string, name: string): Promise<string> {
    const url = await createDatabase(server.url, name);
    await execute(url, await readFile(path, 'utf8'));
    return url;
  }

  it.each([
    { what: 'the migrated database', make: migrated, objects: 100 },
    { what: 'every kind of object', make: (name: string) => madeFrom(everyKind, name), objects: 35 },
  ])('the dump makes $what again, to the letter of pg_dump', async ({ what, make, objects }) => {
    const name = what.replaceAll(' ', '_');
    const url = await make(name);
    const dump = await withConnection(url, (client) => readDump(client));
    const again = await createDatabase(server.url, `${name}_again`);
    await execute(again, renderDump(dump));
    const listed = await pgDump(installation ?? '', url);
    expect(await pgDump(installation ?? '', again)).toEqual(listed);

    const attached = new Set(listed.filter(({ type }) => type === 'INDEX ATTACH').map(({ tag }) => tag));
    const isComment = ({ type, tag }: ListedObject) => type === 'COMMENT' && !tag.startsWith('EXTENSION ');
    const names = listed
      .filter(({ type }) => type !== 'COMMENT')
      .flatMap((object) => nameOfListed(object, attached) ?? []);
    const ours = new Set(dump.map(nameOf));
    expect(names.length).toBeGreaterThan(objects);
    expect(names.filter((each) => !ours.has(each))).toEqual([]);
    expect(dump.filter(({ kind }) => kind === 'comment')).toHaveLength(listed.filter(isComment).length);
  });

  it('the committed dump makes the migrated database', async () => {
    const url = await migrated('from_migrations');
    const made = await madeFrom(repository.dump, 'from_dump');
    expect(await pgDump(installation ?? '', made)).toEqual(await pgDump(installation ?? '', url));
  });
});
