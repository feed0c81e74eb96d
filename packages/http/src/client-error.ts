import { STATUS_CODES } from 'node:http';
import type { Socket } from 'node:net';
import { randomUUID } from 'node:crypto';
import { httpProblem, problemBody } from './problem.ts';
import type { HttpProblem } from './problem.ts';

/** Answers what is not even an HTTP request, straight on the socket, with problem details like everything else. */
export function answerClientError(error: NodeJS.ErrnoException, socket: Socket): void {
  if (error.code === 'ECONNRESET' || socket.destroyed) return;
  if (socket.writable) socket.write(rawAnswer(problemOf(error)));
  socket.destroy(error);
}

function problemOf(error: NodeJS.ErrnoException): HttpProblem {
  if (error.code === 'ERR_HTTP_REQUEST_TIMEOUT') return httpProblem('request_timeout');
  if (error.code === 'HPE_HEADER_OVERFLOW') return httpProblem('headers_too_large');
  return httpProblem('malformed_request');
}

function rawAnswer(problem: HttpProblem): string {
  const body = JSON.stringify(problemBody(problem, randomUUID()));
  return [
    `HTTP/1.1 ${String(problem.status)} ${STATUS_CODES[problem.status] ?? 'Error'}`,
    'content-type: application/problem+json; charset=utf-8',
    `content-length: ${String(Buffer.byteLength(body))}`,
    'connection: close',
    '',
    body,
  ].join('\r\n');
}
