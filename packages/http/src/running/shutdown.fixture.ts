import type { AddressInfo } from 'node:net';
import { PassThrough } from 'node:stream';
import { createServer } from '../server.ts';
import { closeGracefully } from './shutdown.ts';

/**
 * A service for the tests of the shutdown: `GET /hold` answers, and `GET /trickle` ends its answer, when the parent
 * process sends a message. `POST /echo` answers with its body, and reports to the parent process when that begins to
 * arrive. The arguments are the grace period in milliseconds, and `stuck` for a close hook that never ends.
 */
const [graceMs = '25000', hook] = process.argv.slice(2);
const server = await createServer({
  service: 'fixture',
  description: 'A service of the tests.',
  version: '0.0.0',
  logLevel: 'silent',
  apiKeys: [],
  readiness: () => Promise.resolve(),
});
server.app.get('/hold', async () => {
  const { promise, resolve } = Promise.withResolvers<void>();
  process.once('message', resolve);
  process.send?.('holding');
  await promise;
  return { held: true };
});
server.app.get('/trickle', (_request, reply) => {
  const body = new PassThrough();
  body.write('first,');
  process.once('message', () => body.end('last'));
  return reply.type('text/plain').send(body);
});
server.app.addHook('onRequest', (request, _reply, done) => {
  if (request.method === 'POST') process.send?.('arriving');
  done();
});
server.app.post('/echo', (request) => request.body);
server.app.get('/crash', () => {
  setImmediate(() => {
    throw new Error('nobody catches this');
  });
  return { crashing: true };
});
server.app.addHook('onClose', (_app, done) => {
  process.send?.('closed');
  if (hook !== 'stuck') done();
});
await server.app.listen({ host: '127.0.0.1', port: 0 });
closeGracefully(server, { signals: ['SIGTERM'], graceMs: Number(graceMs) });
process.on('SIGTERM', () => process.send?.('stopping'));
process.send?.((server.app.server.address() as AddressInfo).port);
