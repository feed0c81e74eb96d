import { createServer } from '../server.ts';
import { runService } from './run-service.ts';

/** A service for the tests of its start, on the port of the first argument; the second makes its database `ready` or not. */
const [port = '0', database] = process.argv.slice(2);
const server = await createServer({
  service: 'fixture',
  description: 'A service of the tests.',
  version: '0.0.0',
  logLevel: 'info',
  apiKeys: [],
  readiness: () => (database === 'ready' ? Promise.resolve() : Promise.reject(new Error('no database'))),
});
await runService(server, {
  host: '127.0.0.1',
  port: Number(port),
  portVariable: 'FIXTURE_PORT',
  close: async () => {
    await new Promise((resolve) => process.send?.('closed', resolve));
  },
});
process.send?.('running');
