import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parseConnectionUrl, withDatabase } from './connection-url.ts';

const text = fc.string({ minLength: 1, unit: 'grapheme' }).filter((value) => value.isWellFormed());

describe('a connection string', () => {
  it('gives back any user, password and database that were percent-encoded into it', () => {
    fc.assert(
      fc.property(text, text, text, (user, password, database) => {
        const [u, p, d] = [user, password, database].map(encodeURIComponent);
        const target = parseConnectionUrl(`postgresql://${u}:${p}@db.example:6543/${d}?schema=core`);
        expect(target).toMatchObject({
          user,
          password,
          database,
          host: 'db.example',
          port: 6543,
          schema: 'core',
        });
      }),
    );
  });

  it('has the usual defaults', () => {
    expect(parseConnectionUrl('postgres://')).toMatchObject({
      user: 'postgres',
      password: undefined,
      host: 'localhost',
      port: 5432,
      database: 'postgres',
      schema: undefined,
      connectTimeoutMs: 5000,
      tls: { use: 'prefer' },
    });
  });

  it('may name an IPv6 address, a folder of a socket, start-up options and a time limit', () => {
    expect(parseConnectionUrl('postgresql://u@[::1]:5433/d').host).toBe('::1');
    const socket =
      'postgresql://u@localhost/d?host=/run/pg&options=-c%20statement_timeout%3D5s&connect_timeout=30';
    expect(parseConnectionUrl(socket)).toMatchObject({
      host: '/run/pg',
      options: '-c statement_timeout=5s',
      connectTimeoutMs: 30_000,
    });
  });

  it("may carry the parameters of Prisma's client and pool, which change nothing", () => {
    const plain = 'postgresql://u:p@h:1/d';
    const pooled = `${plain}?connection_limit=5&pool_timeout=1&pgbouncer=true&statement_cache_size=0&socket_timeout=3`;
    expect(parseConnectionUrl(pooled)).toEqual(parseConnectionUrl(plain));
  });

  it.each([
    ['mysql://u:p@h/d', 'must start with postgresql://'],
    ['not a url', 'percent-encoded'],
    ['postgresql://u:se#cret@h/d', '%23'],
    ['postgresql://u:se/cret@h/d', '%2F'],
    ['postgresql://u:p@se/cret@h/d', '%2F'],
    ['postgresql://u:p@se#cret@h/d', '%23'],
    ['postgresql://u:1?secret@h/d', '%3F'],
    ['postgresql://u:se%cret@h/d', '%25'],
    ['postgresql://u:secret@h/d?connect_timeout=soon', 'connect_timeout'],
    ['postgresql://u:secret@h/d?sslmode=maybe', 'sslmode'],
  ])('is refused when it is %s, with P1013 and what to do, and is not repeated', (url, advice) => {
    expect(() => parseConnectionUrl(url)).toThrow(
      expect.objectContaining({ code: 'P1013', message: expect.stringContaining(advice) }),
    );
    expect(() => parseConnectionUrl(url)).not.toThrow(/cret|not a url/);
  });

  it('is the same but for the database when another database is meant', () => {
    const target = parseConnectionUrl('postgresql://u:p@h:1/d?schema=s&sslmode=disable');
    expect(withDatabase(target, 'other')).toEqual({ ...target, database: 'other' });
  });
});
