import { once } from 'node:events';
import { connect, createServer } from 'node:net';
import type { AddressInfo, Socket } from 'node:net';

/** A TCP proxy in front of a database, to be treated as networks treat people. */
export interface DatabaseProxy extends AsyncDisposable {
  /** The database's URL through the proxy. */
  readonly url: string;
  /** Connections that were asked for so far. */
  readonly connections: number;
  /** What each connection said first: its start-up packet. */
  readonly greetings: readonly Buffer[];
  /** Ends all connections, and each new one as soon as it is there. */
  cut(): void;
  /** Swallows all data from now on, and keeps the connections open. */
  swallow(): void;
  restore(): void;
}

export async function startDatabaseProxy(databaseUrl: string): Promise<DatabaseProxy> {
  const upstream = new URL(databaseUrl);
  const sockets = new Set<Socket>();
  const greetings: Buffer[] = [];
  let mode: 'pass' | 'cut' | 'swallow' = 'pass';
  let connections = 0;
  const keep = (socket: Socket, other: () => Socket | undefined): void => {
    sockets.add(socket);
    socket.on('data', (data) => mode === 'pass' && other()?.write(data));
    // What breaks on one side is closed on the other; there is nobody to tell.
    socket.on('error', () => socket.destroy());
    socket.on('close', () => {
      sockets.delete(socket);
      other()?.destroy();
    });
  };
  const server = createServer((client) => {
    connections += 1;
    if (mode === 'cut') {
      client.destroy();
      return;
    }
    const backend = connect(Number(upstream.port), upstream.hostname);
    client.once('data', (data) => greetings.push(data));
    keep(client, () => backend);
    keep(backend, () => client);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const cut = (): void => {
    mode = 'cut';
    for (const socket of sockets) socket.destroy();
  };
  const url = new URL(databaseUrl);
  url.hostname = '127.0.0.1';
  url.port = String((server.address() as AddressInfo).port);
  return {
    url: url.href,
    greetings,
    get connections() {
      return connections;
    },
    cut,
    swallow: () => {
      mode = 'swallow';
    },
    restore: () => {
      mode = 'pass';
    },
    [Symbol.asyncDispose]: async () => {
      cut();
      server.close();
      await once(server, 'close');
    },
  };
}

/** The parameters of a start-up packet, as the server reads them. */
export function startUpParameters(packet: Buffer): Record<string, string> {
  // Four bytes of length and four of the protocol's version, then names and values, each ended by NUL.
  const texts = packet.subarray(8).toString('utf8').split('\0');
  const pairs: [string, string][] = [];
  for (let i = 0; texts[i]; i += 2) pairs.push([texts[i] ?? '', texts[i + 1] ?? '']);
  return Object.fromEntries(pairs);
}
