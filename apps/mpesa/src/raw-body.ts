import type { Readable } from 'node:stream';
import { httpProblem } from '@repo/http';
import type { FastifyInstance } from 'fastify';

/** A body as it came. */
export interface RawBody {
  /** The bytes, up to the limit. */
  readonly bytes: Buffer;
  /** Whether more came than the limit; `bytes` is then the beginning. */
  readonly isCut: boolean;
}

/** How much beyond the limit is read and thrown away, so that an honest sender still gets its answer. */
const maxExcess = 1024 * 1024;

/**
 * Makes every route of the scope take its body as bytes (`RawBody`), whatever content type came with it or none:
 * a message must not be lost because its sender labelled it wrongly.
 */
export function takeRawBodies(scope: FastifyInstance, limit: number): void {
  scope.addHook('onRequest', (request, _reply, done) => {
    // A text that is no content type at all would be refused before any parser is asked.
    request.raw.headers['content-type'] = 'application/octet-stream';
    done();
  });
  scope.removeAllContentTypeParsers();
  scope.addContentTypeParser('*', (_request: unknown, payload: Readable) => readUpTo(payload, limit));
}

async function readUpTo(stream: Readable, limit: number): Promise<RawBody> {
  const chunks: Buffer[] = [];
  let length = 0;
  try {
    for await (const chunk of stream as AsyncIterable<Buffer>) {
      if (length <= limit) chunks.push(chunk);
      length += chunk.length;
      if (length > limit + maxExcess) break;
    }
  } catch (cause) {
    throw httpProblem('malformed_request', { detail: 'The connection ended before the body did.', cause });
  }
  // Copied also when there is one chunk: the chunk is a window on a much larger read buffer.
  return { bytes: Buffer.concat(chunks).subarray(0, limit), isCut: length > limit };
}
