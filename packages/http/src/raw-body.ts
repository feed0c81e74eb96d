import type { Readable } from 'node:stream';
import type { FastifyInstance, FastifyRequest } from 'fastify';
import { httpProblem } from './problem.ts';

/** A body as it came. */
export interface RawBody {
  /** The bytes, up to the limit. */
  readonly bytes: Buffer;
  /** Whether more came than the limit; `bytes` is then the beginning. */
  readonly isCut: boolean;
  /** The content type that came with it; it may be wrong, or none at all. */
  readonly contentType: string | null;
}

/** How much beyond the limit is read and thrown away, so that an honest sender still gets its answer. */
const maxExcess = 1024 * 1024;

/**
 * Makes every route of the scope take its body as bytes (`RawBody`), whatever content type came with it or none:
 * a message must not be lost because its sender labelled it wrongly.
 */
export function takeRawBodies(scope: FastifyInstance, limit: number): void {
  const types = new WeakMap<FastifyRequest, string>();
  scope.addHook('onRequest', (request, _reply, done) => {
    const type = request.headers['content-type'];
    if (type !== undefined) types.set(request, type);
    // A text that is no content type at all would be refused before any parser is asked.
    request.raw.headers['content-type'] = 'application/octet-stream';
    done();
  });
  scope.removeAllContentTypeParsers();
  scope.addContentTypeParser('*', async (request: FastifyRequest, payload: Readable) => {
    return { ...(await readUpTo(payload, limit)), contentType: types.get(request) ?? null };
  });
}

async function readUpTo(stream: Readable, limit: number): Promise<Pick<RawBody, 'bytes' | 'isCut'>> {
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
