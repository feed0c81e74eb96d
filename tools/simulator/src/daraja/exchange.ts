import { Buffer } from 'node:buffer';
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Refusal } from './refusals.ts';
import type { Fields } from './stk-request.ts';

/** An answer that is ready to be written. */
export interface Reply {
  readonly status: number;
  readonly body: unknown;
}

/** A request whose body was read. */
export interface Call {
  readonly method: string;
  readonly url: URL;
  readonly authorization: string;
  readonly fields: Fields;
}

const MOST_BYTES = 1_048_576;

/** Reads a request; a body that is no JSON object has no fields. */
export async function readCall(request: IncomingMessage): Promise<Call> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of request) {
    chunks.push(chunk as Buffer);
    bytes += (chunk as Buffer).length;
    if (bytes > MOST_BYTES) throw new RangeError('the body of a request to the simulator is too large');
  }
  return {
    method: request.method ?? 'GET',
    url: new URL(request.url ?? '/', 'http://simulator'),
    authorization: request.headers.authorization ?? '',
    fields: fieldsOf(Buffer.concat(chunks).toString('utf8')),
  };
}

/** Numbers count as their digits. Nested values are not part of any request and are left out. */
function fieldsOf(body: string): Fields {
  let value: unknown;
  try {
    value = JSON.parse(body);
  } catch (error) {
    if (error instanceof SyntaxError) return {};
    throw error;
  }
  if (typeof value !== 'object' || value === null) return {};
  return Object.fromEntries(
    Object.entries(value).flatMap(([name, field]: [string, unknown]) =>
      typeof field === 'string' || typeof field === 'number' ? [[name, String(field)]] : [],
    ),
  );
}

export function refused({ status, errorCode, errorMessage }: Refusal, requestId: string): Reply {
  return { status, body: { requestId, errorCode, errorMessage } };
}

export function writeReply(response: ServerResponse, { status, body }: Reply): void {
  const text = JSON.stringify(body);
  response.writeHead(status, headersOf(text));
  response.end(text);
}

/** Half of an answer, and then the connection ends. */
export function cutReply(response: ServerResponse, { status, body }: Reply): void {
  const text = JSON.stringify(body);
  response.writeHead(status, headersOf(text));
  response.write(text.slice(0, text.length / 2), () => response.destroy());
}

/** A page of some proxy instead of the answer. */
export function writePage(response: ServerResponse): void {
  const text = '<html><body><h1>502 Bad Gateway</h1></body></html>';
  response.writeHead(502, { 'content-type': 'text/html', 'content-length': text.length });
  response.end(text);
}

function headersOf(text: string) {
  return { 'content-type': 'application/json', 'content-length': Buffer.byteLength(text) };
}
