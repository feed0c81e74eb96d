import { createServer } from '../server.ts';
import { runService } from './run-service.ts';

/** A service for the tests of its start, on the port of the first argument; the second makes its database `ready`,
 * `forgetful` or neither. */
const [port = '0', database] = process.argv.slice(2);
const code = database === 'forgetful' ? 'database_not_durable' : 'database_unavailable';
const failure = Object.assign(new Error('no database'), { code });
const server = await createServer({
  service: 'fixture',
  description: 'A service of the tests.',
  version: '0.0.0',
  logLevel: 'info',
  apiKeys: [],
  readiness: () => (database === 'ready' ? Promise.resolve() : Promise.reject(failure)),
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
