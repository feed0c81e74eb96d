import { fault } from './url-parameters.ts';

/** One server of a connection string. */
export interface ServerAddress {
  /** A host name, an address, or the folder of a Unix socket. */
  readonly host: string;
  readonly port: number;
}

/** What stands in a connection string about its servers; each may be a list with commas. */
interface Spelling {
  readonly hosts: string;
  readonly ports: string | undefined;
}

/** The servers of `host1,host2` with `port1,port2`, or one port for all of them. */
export function readServers({ hosts, ports }: Spelling): readonly [ServerAddress, ...ServerAddress[]] {
  const names = hosts.split(',');
  const numbers = (ports ?? '').split(',').map(portOf);
  if (numbers.length > 1 && numbers.length !== names.length) {
    throw fault(
      `there are ${String(names.length)} hosts and ${String(numbers.length)} ports; write one port for each, or one`,
    );
  }
  const [first = '', ...others] = names;
  const serverAt = (host: string, index: number) => ({
    host: host || 'localhost',
    port: numbers[index] ?? numbers[0] ?? DEFAULT_PORT,
  });
  return [serverAt(first, 0), ...others.map((host, index) => serverAt(host, index + 1))];
}

/** `a:1,b,[::1]:2` as hosts and ports. */
export function splitAuthority(authority: string): Spelling {
  const parts = authority
    .split(',')
    .map((part) => /^(\[[^\]]*\]|[^:]*)(?::(.*))?$/s.exec(part) ?? [part, part]);
  return {
    hosts: parts.map(([, host = '']) => host.replace(/^\[(.*)\]$/, '$1')).join(','),
    ports: parts.map(([, , port = '']) => port).join(','),
  };
}

const DEFAULT_PORT = 5432;

function portOf(text: string): number {
  const port = text === '' ? DEFAULT_PORT : Number(text);
  if (Number.isInteger(port) && port > 0 && port <= 65_535) return port;
  throw fault('port must be a number from 1 to 65535');
}
