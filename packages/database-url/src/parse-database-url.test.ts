import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parseDatabaseUrl } from './parse-database-url.ts';

const text = fc.string({ minLength: 1, unit: 'grapheme' }).filter((value) => value.isWellFormed());

describe('a connection string', () => {
  it('gives back any user, password and database that were percent-encoded into it', () => {
    fc.assert(
      fc.property(text, text, text, (user, password, database) => {
        const [u, p, d] = [user, password, database].map(encodeURIComponent);
        const target = parseDatabaseUrl(`postgresql://${u}:${p}@db.example:6543/${d}?schema=core`);
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
    expect(parseDatabaseUrl('postgres://')).toMatchObject({
      user: 'postgres',
      password: undefined,
      host: 'localhost',
      port: 5432,
      database: 'postgres',
      schema: undefined,
      connectTimeoutMs: undefined,
      tls: { use: 'first' },
    });
  });

  it('may name an IPv6 address, a folder of a socket, start-up options and a time limit', () => {
    expect(parseDatabaseUrl('postgresql://u@[::1]:5433/d').host).toBe('::1');
    const socket =
      'postgresql://u@localhost/d?host=/run/pg&options=-c%20statement_timeout%3D5s&connect_timeout=30';
    expect(parseDatabaseUrl(socket)).toMatchObject({
      host: '/run/pg',
      options: '-c statement_timeout=5s',
      connectTimeoutMs: 30_000,
    });
  });

  it("may carry the parameters of Prisma's client and pool, which change nothing", () => {
    const plain = 'postgresql://u:p@h:1/d';
    const pooled = `${plain}?connection_limit=5&pool_timeout=1&pgbouncer=true&statement_cache_size=0&socket_timeout=3`;
    expect(parseDatabaseUrl(pooled)).toEqual(parseDatabaseUrl(plain));
  });

  it('may name a user without a host, or all of it in parameters, as libpq takes it', () => {
    expect(parseDatabaseUrl('postgresql://u@/d?host=/run/pg')).toMatchObject({
      user: 'u',
      host: '/run/pg',
      database: 'd',
    });
    expect(parseDatabaseUrl('postgresql://u:p@%2Frun%2Fpg/d')).toMatchObject({
      host: '/run/pg',
      tls: { use: 'never' },
    });
    expect(parseDatabaseUrl('postgresql:///?user=u&password=p&dbname=d&host=h&port=1')).toMatchObject({
      user: 'u',
      password: 'p',
      database: 'd',
      host: 'h',
      port: 1,
    });
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
  ])('is refused when it is %s, and not repeated', (url, advice) => {
    const refused = expect.objectContaining({ fault: 'syntax', message: expect.stringContaining(advice) });
    expect(() => parseDatabaseUrl(url)).toThrow(refused);
    expect(() => parseDatabaseUrl(url)).not.toThrow(/cret|not a url/);
  });

  it.each([
    ['connect_timeout=soon', 'connect_timeout'],
    ['connect_timeout=-1', 'connect_timeout'],
    ['sslmode=maybe', 'sslmode must be one of disable, allow, prefer, require, verify-ca, verify-full'],
    ['sslmode=no-verify', 'sslmode must be one of'],
    ['sslmod=verify-full', 'there is no parameter sslmod'],
    ['SSLMODE=verify-full', 'there is no parameter SSLMODE'],
    ['sslmode=verify-full&sslmode=disable', 'sslmode is there twice'],
    ['sslmode=verify-ca', 'sslrootcert'],
    ['sslmode=require&sslrootcert=system', 'verify-full'],
    ['ssl=true&sslmode=disable', 'leave sslmode'],
    ['sslnegotiation=direct', 'sslmode=require'],
    ['sslmode=require&sslkey=package.json', 'sslcert'],
    ['channel_binding=always', 'channel_binding'],
    ['gssencmode=require', 'TLS'],
    ['target_session_attrs=master', 'target_session_attrs must be one of any, read-write'],
    ['load_balance_hosts=random', 'in the order of the list'],
    ['statement_timeout=5000', 'options=-c'],
    ['service=main', 'in full'],
    ['port=1,2&host=a,b,c', '3 hosts and 2 ports'],
    ['port=0', 'port'],
  ])('is refused with what to write instead: %s', (query, advice) => {
    const port = query.startsWith('port') ? '' : ':5432';
    expect(() => parseDatabaseUrl(`postgresql://u:secret@h${port}/d?${query}`)).toThrow(
      expect.objectContaining({ fault: 'parameter', message: expect.stringContaining(advice) }),
    );
  });

  it.each([
    ['postgresql://u:secret@a,b/d', ['a', 5432], ['b', 5432]],
    ['postgresql://u:secret@a:1,b:2/d', ['a', 1], ['b', 2]],
    ['postgres://a,b:2', ['a', 5432], ['b', 2]],
    ['postgresql://u:se,cret@[::1]:6,h:7/d', ['::1', 6], ['h', 7]],
    ['postgresql://u@%2Frun%2Fpg,h/d', ['/run/pg', 5432], ['h', 5432]],
    ['postgresql://u@/d?host=a,b&port=1,2', ['a', 1], ['b', 2]],
    ['postgresql://u@/d?host=a,b&port=6432', ['a', 6432], ['b', 6432]],
    ['postgresql://u@,b/d', ['localhost', 5432], ['b', 5432]],
  ])('may name several servers, as libpq takes them: %s', (url, ...servers) => {
    const expected = servers.map(([host, port]) => ({ host, port }));
    expect(parseDatabaseUrl(url)).toMatchObject({ ...expected[0], servers: expected, role: 'any' });
  });

  it('gives back any list of servers, and which of them may be used', () => {
    const host = fc.stringMatching(/^[a-z][a-z0-9.-]{0,20}$/);
    const server = fc.record({ host, port: fc.integer({ min: 1, max: 65_535 }) });
    const role = fc.constantFrom('any', 'read-write', 'primary', 'read-only', 'standby', 'prefer-standby');
    fc.assert(
      fc.property(fc.array(server, { minLength: 1, maxLength: 5 }), role, (servers, attrs) => {
        const authority = servers.map((each) => `${each.host}:${String(each.port)}`).join(',');
        const url = `postgresql://u:p@${authority}/d?target_session_attrs=${attrs}`;
        expect(parseDatabaseUrl(url)).toMatchObject({ servers, role: attrs, user: 'u', database: 'd' });
      }),
    );
  });

  it('of several servers says no more than their number when one is wrong', () => {
    const refused = expect.objectContaining({ fault: 'parameter', message: expect.stringContaining('port') });
    expect(() => parseDatabaseUrl('postgresql://u:secret@a:1,b:x/d')).toThrow(refused);
    expect(() => parseDatabaseUrl('postgresql://u:secret@a:1,b:x/d')).not.toThrow(/secret/);
  });

  it('may carry what means nothing here or means what happens anyway', () => {
    const plain = 'postgresql://u:p@h:1/d';
    const usual = `${plain}?gssencmode=prefer&target_session_attrs=any&keepalives=1&uselibpqcompat=true&application_name=`;
    expect(parseDatabaseUrl(usual)).toEqual(parseDatabaseUrl(plain));
  });
});
