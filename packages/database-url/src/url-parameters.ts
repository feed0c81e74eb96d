import { DatabaseUrlError } from './database-url-error.ts';

/** What the session is: read by everything that connects. */
const READ = [
  'application_name',
  'channel_binding',
  'connect_timeout',
  'dbname',
  'host',
  'options',
  'password',
  'port',
  'schema',
  'ssl',
  'sslaccept',
  'sslcert',
  'sslidentity',
  'sslkey',
  'sslmode',
  'sslnegotiation',
  'sslpassword',
  'sslrootcert',
  'target_session_attrs',
  'user',
];

/** Parameters that weaken or change the session where they are not understood: better no session than another one. */
const REFUSED: Readonly<Record<string, string>> = {
  gssencmode: 'GSSAPI encryption is not supported; use TLS (sslmode)',
  hostaddr: 'write the address as the host',
  idle_in_transaction_session_timeout: 'write options=-c%20idle_in_transaction_session_timeout%3D30s',
  lock_timeout: 'write options=-c%20lock_timeout%3D5s',
  passfile: 'write the password into the connection string, or set PGPASSWORD',
  replication: 'replication connections are not supported',
  requiressl: 'write sslmode=require',
  service: 'write the connection string out in full',
  statement_timeout: 'write options=-c%20statement_timeout%3D30s',
  load_balance_hosts: 'servers are tried in the order of the list',
};

/** Values that mean what happens anyway. */
const HARMLESS: Readonly<Record<string, readonly string[]>> = {
  gssencmode: ['disable', 'prefer'],
  requiressl: ['0'],
  load_balance_hosts: ['disable'],
};

/**
 * The parameters behind the question mark, each at most once. Unknown ones are ignored, as Prisma's and PgBouncer's are
 * (`connection_limit`, `pool_timeout`, `pgbouncer`, ...), unless their name begins with `ssl`.
 */
export function readParameters(search: URLSearchParams): ReadonlyMap<string, string> {
  const parameters = new Map<string, string>();
  for (const [name, value] of search) {
    const isRead = READ.includes(name);
    if (!isRead && /^ssl/i.test(name)) throw fault(`there is no parameter ${name}; correct its name`);
    const advice = REFUSED[name];
    if (advice !== undefined && !HARMLESS[name]?.includes(value))
      throw fault(`${name} cannot be used: ${advice}`);
    if (isRead && parameters.has(name)) throw fault(`${name} is there twice; leave one`);
    if (isRead && value !== '') parameters.set(name, value);
  }
  return parameters;
}

/** The value of a parameter that has few. */
export function oneOf<Value extends string>(
  parameters: ReadonlyMap<string, string>,
  name: string,
  values: readonly Value[],
): Value | undefined {
  const value = parameters.get(name);
  const known = values.find((each) => each === value);
  if (value === undefined || known !== undefined) return known;
  throw fault(`${name} must be one of ${values.join(', ')}`);
}

export function fault(message: string): DatabaseUrlError {
  return new DatabaseUrlError('parameter', message);
}
