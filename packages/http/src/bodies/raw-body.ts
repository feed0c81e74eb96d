import { isIP } from 'node:net';
import type { Readable } from 'node:stream';
import type { FastifyInstance, FastifyRequest } from 'fastify';

/** A body as it came. */
export interface RawBody {
  /** The bytes, up to the limit. */
  readonly bytes: Buffer;
  /** Whether more came than the limit; `bytes` is then the beginning. */
  readonly isCut: boolean;
  /** Whether the connection ended, or the time for a request was over, before the body was. */
  readonly isIncomplete: boolean;
  /** How many bytes the sender announced, or how many came if it did not say. */
  readonly size: number;
  /** The content type that came with it; it may be wrong, or none at all. */
  readonly contentType: string | null;
  /** The address that it came from, that of the client behind trusted proxies; null when it is unknown. */
  readonly source: string | null;
}

/** What is known of a request before its body is read: afterwards the connection may be gone. */
interface Arrival {
  readonly contentType: string | null;
  readonly source: string | null;
}

const arrivals = new WeakMap<FastifyRequest, Arrival>();

/**
 * Makes every route of the scope take its body as bytes (see `rawBodyOf`), whatever content type came with it or none,
 * however long it is and wherever it breaks off: a message must not be lost because its sender sent it badly.
 */
export function takeRawBodies(scope: FastifyInstance, limit: number): void {
  scope.addHook('onRequest', (request, _reply, done) => {
    const contentType = request.headers['content-type'] ?? null;
    arrivals.set(request, { contentType, source: sourceOf(request) });
    // A text that is no content type at all would be refused before any parser is asked.
    request.raw.headers['content-type'] = 'application/octet-stream';
    done();
  });
  scope.removeAllContentTypeParsers();
  scope.addContentTypeParser('*', (request: FastifyRequest, payload: Readable) =>
    readBody(request, payload, limit),
  );
  scope.addHook('preHandler', async (request) => {
    // The framework reads no body of a GET, for instance, nor one of unknown length.
    request.body ??= await readBody(request, request.raw, limit);
  });
}

/** The body of a request in a scope of `takeRawBodies`. */
export function rawBodyOf(request: FastifyRequest): RawBody {
  return request.body as RawBody;
}

async function readBody(request: FastifyRequest, stream: Readable, limit: number): Promise<RawBody> {
  const chunks: Buffer[] = [];
  let length = 0;
  // What is beyond the limit is read as well, and thrown away: a client that still sends does not hear the answer.
  const isIncomplete = !(await drain(stream, (chunk) => {
    if (length < limit) chunks.push(chunk.subarray(0, limit - length));
    length += chunk.length;
  }));
  const declared = Number(request.headers['content-length']);
  const size = Number.isSafeInteger(declared) ? declared : length;
  const { contentType, source } = arrivals.get(request) ?? { contentType: null, source: null };
  // Copied also when there is one chunk: the chunk is a window on a much larger read buffer.
  const bytes = Buffer.concat(chunks);
  return { bytes, isCut: length > limit, isIncomplete, size, contentType, source };
}

/**
 * Reads a stream to its end; false when it broke off. By its events and not by `for await`, whose promises for each
 * chunk cost more than everything else that is done with a small body.
 */
function drain(stream: Readable, onChunk: (chunk: Buffer) => void): Promise<boolean> {
  if (stream.readableEnded || stream.destroyed) return Promise.resolve(stream.readableEnded);
  return new Promise((resolve) => {
    stream.on('data', onChunk);
    stream.once('end', () => resolve(true));
    stream.once('error', () => resolve(false));
    stream.once('close', () => resolve(false));
  });
}

/** A trusted proxy may pass on a header that holds no address; then the proxy's own is the best that is known. */
function sourceOf(request: FastifyRequest): string | null {
  return isIP(request.ip) === 0 ? (request.raw.socket.remoteAddress ?? null) : request.ip;
}
