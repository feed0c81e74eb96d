import { connect } from 'node:net';
import fc from 'fast-check';
import { z } from 'zod';

/** An answer as it came over the wire. */
export interface WireAnswer {
  readonly status: number;
  /** By name in lower case; of repeated headers the last. */
  readonly headers: ReadonlyMap<string, string>;
  readonly body: string;
}

/** Sends bytes on a connection of their own and reads what comes until the server closes it. For tests. */
export async function sendBytes(url: string, bytes: Buffer | string): Promise<WireAnswer> {
  const { hostname, port } = new URL(url);
  const socket = connect(Number(port), hostname);
  socket.write(bytes);
  const chunks: Buffer[] = [];
  try {
    for await (const chunk of socket as AsyncIterable<Buffer>) chunks.push(chunk);
  } catch (error) {
    // A server that refuses a body cuts the connection while it is still being sent; the answer came before.
    if (chunks.length === 0) throw error;
  }
  return readAnswer(Buffer.concat(chunks).toString('utf8'));
}

function readAnswer(text: string): WireAnswer {
  const end = text.indexOf('\r\n\r\n');
  const [statusLine = '', ...lines] = text.slice(0, end).split('\r\n');
  const headers = new Map(
    lines.map((line) => {
      const [name = '', value = ''] = line.split(/: *(.*)/s);
      return [name.toLowerCase(), value] as const;
    }),
  );
  return { status: Number(/^HTTP\/1\.1 (\d{3})/.exec(statusLine)?.[1]), headers, body: text.slice(end + 4) };
}

const problem = z.looseObject({
  type: z.string(),
  title: z.string(),
  status: z.int(),
  code: z.string(),
  requestId: z.string(),
});

/** What is wrong with an answer to a client's mistake; empty without a mistake or if the answer is as it must be. */
export function findAnswerFaults(method: string, { status, headers, body }: WireAnswer): string[] {
  const faults: string[] = [];
  if (!(status >= 100 && status < 500)) faults.push(`the status is ${String(status)}`);
  if (headers.get('x-request-id') === undefined) faults.push('there is no request id');
  if (status < 400 || method === 'HEAD') return faults;
  const type = headers.get('content-type') ?? 'none';
  if (!type.startsWith('application/problem+json')) faults.push(`the content type is ${type}`);
  const told = problem.safeParse(JSON.parse(body));
  if (!told.success) return [...faults, 'the body is no problem document'];
  if (told.data.status !== status) faults.push('the body names another status');
  if (told.data.requestId !== headers.get('x-request-id')) faults.push('the body names another request id');
  return faults;
}

/** One request as text, and its method. */
export interface WireRequest {
  readonly method: string;
  readonly text: string;
}

const METHODS = [
  'GET',
  'POST',
  'PUT',
  'PATCH',
  'DELETE',
  'HEAD',
  'OPTIONS',
  'TRACE',
  'PROPFIND',
  'BREW',
  'get',
];

const HEADER_LINES = [
  'Host: localhost',
  'Authorization: Bearer test-key',
  'Authorization: Basic eDp5',
  'Idempotency-Key: 1',
  'Idempotency-Key: \u00e9',
  'Accept: text/csv',
  'Accept: image/png',
  'Accept: ;;q=x',
  'Accept-Language: sw;q=x, *',
  'Content-Type: application/json',
  'Content-Type: text/plain',
  'Content-Type: application/x-www-form-urlencoded',
  'Content-Type: ;;',
  'Content-Encoding: gzip',
  'Expect: nonsense',
  'X-Forwarded-For: nobody, 1.2.3.4',
  'Upgrade: h2c',
  'Cookie: a=b; =',
  'Range: bytes=0-1',
  'If-None-Match: *',
];

const BODIES = [
  '',
  '{}',
  '[]',
  '{"a":1,"a":2}',
  '{"__proto__":{"a":1}}',
  'null',
  '{',
  'a=b',
  '\u0000',
  '"\\ud800"',
];

const ODD_SEGMENTS = [
  '%00',
  '%zz',
  '..',
  '%2e%2e',
  '%2F',
  '*',
  ' ',
  '%F0%9F%98%80',
  '-1',
  '0',
  "'",
  'a'.repeat(300),
];

/** Requests to a server, many of them wrong in some way; `paths` are templates such as `/wallets/{number}`. */
export function wireRequests(paths: readonly string[]): fc.Arbitrary<WireRequest> {
  const segment = fc.oneof(fc.constantFrom(...ODD_SEGMENTS), fc.stringMatching(/^[!-~]{1,12}$/));
  const path = fc
    .record({
      template: fc.constantFrom(
        ...paths,
        '/',
        '//',
        '*',
        '/docs/static/{file}',
        '/problems/{code}',
        '/metrics',
      ),
      segments: fc.array(segment, { minLength: 3, maxLength: 3 }),
      tail: fc.constantFrom(
        '',
        '',
        '',
        '/',
        '/x',
        '?',
        '?limit=x',
        '?cursor=%00',
        '?status=unknown',
        '?a=%zz',
      ),
    })
    .map(({ template, segments, tail }) => {
      const left = [...segments];
      return template.replaceAll(/\{\w+\}/g, () => left.pop() ?? 'x') + tail;
    });
  return fc
    .record({
      method: fc.constantFrom(...METHODS),
      path,
      lines: fc.subarray(HEADER_LINES),
      hasHost: fc.integer({ min: 0, max: 9 }).map((number) => number > 0),
      body: fc.constantFrom(...BODIES),
    })
    .map(({ method, path: target, lines, hasHost, body }) => {
      const host = hasHost && !lines.includes('Host: localhost') ? ['Host: x'] : [];
      const length = body === '' ? [] : [`Content-Length: ${String(Buffer.byteLength(body))}`];
      const head = [`${method} ${target} HTTP/1.1`, ...host, ...lines, ...length, 'Connection: close'];
      return { method, text: `${head.join('\r\n')}\r\n\r\n${body}` };
    });
}

const description = z.object({ paths: z.record(z.string(), z.unknown()) });

/** The paths that a running service describes, as templates. */
export async function describedPaths(url: string): Promise<string[]> {
  const response = await fetch(`${url}/docs/json`);
  return Object.keys(description.parse(await response.json()).paths);
}
