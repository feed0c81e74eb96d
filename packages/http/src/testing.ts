import type { AddressInfo } from 'node:net';
import { fullAccessKey } from './callers/api-key.ts';
import { createServer } from './server.ts';
import type { Server, ServerOptions } from './server.ts';
import { stopServer } from './running/shutdown.ts';

/** A listening server with its base URL and the log lines it wrote. */
export interface TestServer extends AsyncDisposable {
  readonly server: Server;
  readonly url: string;
  readonly lines: string[];
}

/** Starts a real server on a free port of the loopback interface; `define` adds routes before it listens. */
export async function startTestServer(
  define: (server: Server) => void,
  options: Partial<ServerOptions> = {},
): Promise<TestServer> {
  const lines: string[] = [];
  const server = await createServer({
    service: 'test',
    description: 'A service of the tests.',
    version: '0.0.0',
    logLevel: 'trace',
    logDestination: { write: (line) => lines.push(line) },
    apiKeys: [fullAccessKey('test-key')],
    readiness: () => Promise.resolve(),
    ...options,
  });
  define(server);
  await server.app.listen({ host: '127.0.0.1', port: 0 });
  const { port } = server.app.server.address() as AddressInfo;
  return {
    server,
    url: `http://127.0.0.1:${String(port)}`,
    lines,
    [Symbol.asyncDispose]: () => stopServer(server),
  };
}
