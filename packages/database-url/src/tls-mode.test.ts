import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parseDatabaseUrl } from './parse-database-url.ts';

const read = (query: string) => parseDatabaseUrl(`postgresql://u@h/d?${query}`).tls;

describe('the TLS parameters of a connection string', () => {
  let folder = '';
  let authority = '';
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'tls-mode-'));
    authority = join(folder, 'authority.pem');
    await writeFile(authority, 'content');
  });
  afterAll(() => rm(folder, { recursive: true }));

  /** What is checked of the server's certificate. */
  function trustOf(query: string): string {
    const tls = read(query.replace('AUTHORITY', authority));
    if (!('options' in tls) || tls.options.rejectUnauthorized !== true) return 'nothing';
    return 'checkServerIdentity' in tls.options ? 'authority' : 'authority and host';
  }

  it.each([
    ['', 'first', 'nothing'],
    ['sslmode=allow', 'last', 'nothing'],
    ['sslmode=prefer', 'first', 'nothing'],
    ['sslmode=prefer&sslrootcert=AUTHORITY', 'first', 'nothing'],
    ['sslmode=require', 'always', 'nothing'],
    ['ssl=true', 'always', 'nothing'],
    ['sslmode=require&sslaccept=accept_invalid_certs', 'always', 'nothing'],
    ['sslmode=require&sslrootcert=AUTHORITY', 'always', 'authority'],
    ['sslmode=require&sslaccept=strict', 'always', 'authority and host'],
    ['sslmode=verify-ca&sslrootcert=AUTHORITY', 'always', 'authority'],
    ['sslmode=verify-ca&sslcert=AUTHORITY', 'always', 'authority'],
    ['sslmode=verify-full', 'always', 'authority and host'],
    ['sslmode=verify-full&sslrootcert=AUTHORITY', 'always', 'authority and host'],
    ['sslmode=verify-full&sslrootcert=system', 'always', 'authority and host'],
  ])('"%s" uses TLS %s and checks %s', (query, use, trust) => {
    expect(read(query.replace('AUTHORITY', authority)).use).toBe(use);
    expect(trustOf(query)).toBe(trust);
  });

  it('disable means no TLS at all', () => {
    expect(read('sslmode=disable&sslaccept=strict')).toEqual({ use: 'never' });
  });

  it('name files: an authority, and a certificate with its key or an identity with its password', () => {
    const [file, content] = [authority, Buffer.from('content')];
    const prisma = read(`sslcert=${file}&sslidentity=${file}&sslpassword=secret`);
    const libpq = read(`sslrootcert=${file}&sslcert=${file}&sslkey=${file}`);

    expect(prisma).toHaveProperty('options', {
      rejectUnauthorized: false,
      ca: content,
      pfx: content,
      passphrase: 'secret',
    });
    expect(libpq).toHaveProperty('options', {
      rejectUnauthorized: false,
      ca: content,
      cert: content,
      key: content,
    });
  });

  it('say which parameter names a file that cannot be read', () => {
    expect(() => read('sslrootcert=/no/such/file')).toThrow(
      expect.objectContaining({ fault: 'file', message: expect.stringContaining('sslrootcert') }),
    );
  });
});
