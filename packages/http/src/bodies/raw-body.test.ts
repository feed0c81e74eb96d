import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { connect } from 'node:net';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import { fastify } from 'fastify';
import { expect, onTestFinished, test } from 'vitest';
import { rawBodyOf, takeRawBodies } from './raw-body.ts';
import type { RawBody } from './raw-body.ts';

const LIMIT = 1_000;

/** A server that answers what it understood of a body: its length, its digest and whether it was cut. */
async function startServer(): Promise<{ port: number; taken: Promise<RawBody> }> {
  const app = fastify();
  const { promise: taken, resolve } = Promise.withResolvers<RawBody>();
  takeRawBodies(app, LIMIT);
  app.all('/', (request) => {
    const { bytes, isCut, isIncomplete, size, contentType, source } = rawBodyOf(request);
    resolve(rawBodyOf(request));
    return { length: bytes.length, digest: digestOf(bytes), isCut, isIncomplete, size, contentType, source };
  });
  await app.listen({ host: '127.0.0.1', port: 0 });
  onTestFinished(() => app.close());
  return { port: (app.server.address() as AddressInfo).port, taken };
}

const digestOf = (bytes: Buffer) => createHash('sha256').update(bytes).digest('hex');

test.each([
  ['no content type', null],
  ['JSON', 'application/json'],
  ['a form', 'application/x-www-form-urlencoded'],
  ['a multipart form', 'multipart/form-data; boundary=x'],
  ['text that is no content type', ';;garbage'],
  ['an empty content type', ''],
])('with %s the bytes arrive as they were sent, and the type beside them', async (_what, type) => {
  const { port } = await startServer();
  const body = Buffer.from([0x7b, 0x00, 0xff, 0xfe, 0x7d]);
  const socket = connect(port, '127.0.0.1');
  socket.write(
    `POST / HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: ${String(body.length)}\r\n`,
  );
  socket.write(type === null ? '\r\n' : `Content-Type: ${type}\r\n\r\n`);
  socket.write(body);
  const answer = await text(socket);
  expect(answer).toMatch(/^HTTP\/1\.1 200 /);
  expect(answer).toContain(
    JSON.stringify({
      length: body.length,
      digest: digestOf(body),
      isCut: false,
      isIncomplete: false,
      size: body.length,
      contentType: type,
      source: '127.0.0.1',
    }),
  );
});

test.each([
  [0, false],
  [LIMIT, false],
  [LIMIT + 1, true],
  [200_000, true],
  [3_000_000, true],
])('of %i bytes the beginning up to the limit is kept, cut: %s', async (length, isCut) => {
  const { port } = await startServer();
  const body = Buffer.alloc(length, 'abcdefg');
  const response = await fetch(`http://127.0.0.1:${String(port)}/`, { method: 'POST', body });
  const kept = body.subarray(0, LIMIT);
  expect(await response.json()).toMatchObject({
    length: kept.length,
    digest: digestOf(kept),
    isCut,
    size: length,
    source: '127.0.0.1',
  });
});

test('a body that arrives in pieces is put together', async () => {
  const { port } = await startServer();
  async function* pieces() {
    for (const piece of ['{"a":', '"b', 'c"}']) yield Buffer.from(piece);
  }
  const response = await fetch(`http://127.0.0.1:${String(port)}/`, {
    method: 'POST',
    body: pieces(),
    duplex: 'half',
  });
  expect(await response.json()).toMatchObject({ length: 10, digest: digestOf(Buffer.from('{"a":"bc"}')) });
});

test('a body without a declared length is measured', async () => {
  const { port } = await startServer();
  async function* pieces() {
    for (let piece = 0; piece < 5; piece += 1) yield Buffer.alloc(500_000, 'x');
  }
  const response = await fetch(`http://127.0.0.1:${String(port)}/`, {
    method: 'POST',
    body: pieces(),
    duplex: 'half',
  });
  expect(await response.json()).toMatchObject({ length: LIMIT, isCut: true, size: 2_500_000 });
});

test.each([
  ['half of a declared length', 'Content-Length: 100\r\n\r\n{"TransID":', { length: 11, size: 100 }],
  ['a malformed chunk', 'Transfer-Encoding: chunked\r\n\r\n5\r\n{"Tra\r\nZZZ\r\n', { length: 5, size: 5 }],
])('of a body that breaks off after %s what came is taken', async (_what, rest, { length, size }) => {
  const { port, taken } = await startServer();
  const socket = connect(port, '127.0.0.1');
  await once(socket, 'connect');
  socket.write(`POST / HTTP/1.1\r\nHost: x\r\n${rest}`, () => socket.destroySoon());
  const body = await taken;
  expect(body).toMatchObject({ isCut: false, isIncomplete: true, size, source: '127.0.0.1' });
  expect(body.bytes).toHaveLength(length);
});

test.each(['GET', 'DELETE', 'OPTIONS', 'PUT', 'PATCH'])('the body of a %s is taken too', async (method) => {
  const { port } = await startServer();
  const socket = connect(port, '127.0.0.1');
  socket.write(`${method} / HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 5\r\n\r\nhello`);
  expect(await text(socket)).toContain('"length":5');
});
