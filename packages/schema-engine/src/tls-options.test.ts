import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { readTls } from './tls-options.ts';

const read = (query: string) => readTls(new URLSearchParams(query));

describe('the TLS parameters of a connection string', () => {
  it.each([
    ['', 'prefer', false],
    ['sslmode=prefer', 'prefer', false],
    ['sslmode=require', 'always', false],
    ['sslmode=require&sslaccept=strict', 'always', true],
    ['sslmode=verify-ca', 'always', true],
    ['sslmode=verify-full', 'always', true],
  ])('%s: TLS is used: %s, and the certificate checked: %s', (query, use, strict) => {
    expect(read(query)).toMatchObject({ use, options: { rejectUnauthorized: strict } });
  });

  it('disable means no TLS at all', () => {
    expect(read('sslmode=disable&sslaccept=strict')).toEqual({ use: 'never' });
  });

  it('verify-ca does not compare the host name, verify-full does', () => {
    expect(read('sslmode=verify-ca')).toHaveProperty('options.checkServerIdentity');
    expect(read('sslmode=verify-full')).not.toHaveProperty('options.checkServerIdentity');
  });

  it('name files: an authority, and a certificate with its key or an identity with its password', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'tls-options-'));
    const [file, content] = [join(folder, 'file.pem'), Buffer.from('content')];
    await writeFile(file, content);
    const prisma = read(`sslcert=${file}&sslidentity=${file}&sslpassword=secret`);
    const libpq = read(`sslrootcert=${file}&sslcert=${file}&sslkey=${file}`);
    await rm(folder, { recursive: true });

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
      expect.objectContaining({ code: 'P1011', message: expect.stringContaining('sslrootcert') }),
    );
  });
});
