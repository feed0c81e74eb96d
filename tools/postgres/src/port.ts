import { once } from 'node:events';
import { createServer } from 'node:net';

/** A TCP port on the loopback interface that nothing listens on at the moment. */
export async function findFreePort(): Promise<number> {
  const server = createServer();
  server.listen({ host: '127.0.0.1', port: 0 });
  await once(server, 'listening');
  const address = server.address();
  server.close();
  await once(server, 'close');
  if (address === null || typeof address === 'string')
    throw new TypeError('a TCP server has an address and a port');
  return address.port;
}
