import { randomUUID } from 'node:crypto';
import { STATUS_CODES } from 'node:http';
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { commonHeaders } from '../common-headers.ts';
import { httpProblem, problemBody } from './problem.ts';
import type { HttpProblem } from './problem.ts';

/** Answers what is not even an HTTP request, straight on the socket, with problem details like everything else. */
export function answerClientError(error: NodeJS.ErrnoException, socket: Socket): void {
  if (error.code === 'ECONNRESET' || socket.destroyed) return;
  if (socket.writable) socket.write(rawAnswer(problemOf(error)));
  socket.destroy(error);
}

/** Answers an `Expect` header that asks for anything but `100-continue`: Node's own answer would have no body. */
export function answerExpectation(_request: IncomingMessage, response: ServerResponse): void {
  const { status, headers, body } = answerOf(httpProblem('expectation_failed'));
  response.writeHead(status, headers).end(body);
}

/** Answers `CONNECT`, which asks a proxy for a tunnel: without a listener Node ends the connection and says nothing. */
export function answerConnect(_request: IncomingMessage, socket: Duplex): void {
  socket.on('error', () => {
    // Nobody waits for the answer any more.
  });
  socket.end(rawAnswer(httpProblem('malformed_request', { detail: 'This is not a proxy.' })));
}

function problemOf(error: NodeJS.ErrnoException): HttpProblem {
  if (error.code === 'ERR_HTTP_REQUEST_TIMEOUT') return httpProblem('request_timeout');
  if (error.code === 'HPE_HEADER_OVERFLOW') return httpProblem('headers_too_large');
  return httpProblem('malformed_request');
}

function answerOf(problem: HttpProblem) {
  const requestId = randomUUID();
  const body = JSON.stringify(problemBody(problem, requestId));
  const headers = {
    ...commonHeaders(requestId),
    'content-type': 'application/problem+json; charset=utf-8',
    'content-length': String(Buffer.byteLength(body)),
    connection: 'close',
  };
  return { status: problem.status, headers, body };
}

function rawAnswer(problem: HttpProblem): string {
  const { status, headers, body } = answerOf(problem);
  const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}`);
  const date = `date: ${new Date().toUTCString()}`;
  return [`HTTP/1.1 ${String(status)} ${STATUS_CODES[status] ?? 'Error'}`, date, ...lines, '', body].join(
    '\r\n',
  );
}
