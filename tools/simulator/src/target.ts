import { BlockList, isIP } from 'node:net';
import { Pool } from 'undici';

export interface TargetOptions {
  /** Where the service listens: `http://127.0.0.1:4002`. */
  readonly url: string;
  /** The token in the service's callback URLs. */
  readonly token: string;
  /** Permits a target that is not this machine. Made-up payments must not reach a real ledger by a slip. */
  readonly allowRemote?: boolean;
  /** The most connections to open. Default: 256. They are kept alive and used again, as M-PESA's are. */
  readonly connections?: number;
}

/** A service under simulation. Close it to let its connections go. */
export interface Target extends AsyncDisposable {
  readonly pool: Pool;
  readonly token: string;
  close(): Promise<void>;
}

/** The target is not this machine. */
export class RemoteTargetError extends Error {
  override readonly name = 'RemoteTargetError';
  readonly code = 'remote_target';

  constructor(host: string) {
    super(`${host} is not this machine: the simulator sends made-up payments; pass allowRemote to permit it`);
  }
}

const loopback = new BlockList();
loopback.addSubnet('127.0.0.0', 8, 'ipv4');
loopback.addAddress('::1', 'ipv6');

/** Prepares to send to a service; connects at the first message. Throws `RemoteTargetError` for another machine. */
export function openTarget(options: TargetOptions): Target {
  const { hostname, origin } = new URL(options.url);
  if (options.allowRemote !== true && !isLoopback(hostname)) throw new RemoteTargetError(hostname);
  const pool = new Pool(origin, { connections: options.connections ?? 256 });
  const close = () => pool.close();
  return { pool, token: options.token, close, [Symbol.asyncDispose]: close };
}

/** Whether a URL is one that the simulator may send to: on this machine, over HTTP. */
export function isSendable(url: string): boolean {
  if (!URL.canParse(url)) return false;
  const { protocol, hostname } = new URL(url);
  return /^https?:$/.test(protocol) && isLoopback(hostname);
}

function isLoopback(hostname: string): boolean {
  const address = hostname.replace(/^\[|\]$/g, '');
  const family = isIP(address);
  // `localhost` and names below it are loopback by definition (RFC 6761); other names are not looked up.
  if (family === 0) return /^(.*\.)?localhost$/.test(address);
  return loopback.check(address, family === 6 ? 'ipv6' : 'ipv4');
}
