import { createWriteStream } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { httpProblem } from '@repo/http';
import type { HttpServer } from '@repo/http';
import type { FastifyRequest } from 'fastify';

/** A file that is removed with the request that it came with. */
export interface SpooledFile extends AsyncDisposable {
  readonly path: string;
}

/** Hands the bodies of a scope on as they come, whatever their content type says: the file itself says what it is. */
export function takeStreams(scope: HttpServer): void {
  scope.addHook('onRequest', (request, _reply, done) => {
    request.raw.headers['content-type'] = 'application/octet-stream';
    done();
  });
  scope.removeAllContentTypeParsers();
  scope.addContentTypeParser('*', (_request, payload, done) => {
    done(null, payload);
  });
}

/**
 * Writes the body of a request in a scope of `takeStreams` into a temporary file: a workbook is read from its end, and the
 * digest of a file is needed before its lines.
 *
 * @throws HttpProblem `body_too_large`; `malformed_request` when the body breaks off
 */
export async function spool(request: FastifyRequest, mostMebibytes: number): Promise<SpooledFile> {
  const body = (request.body ?? request.raw) as Readable;
  const folder = await mkdtemp(join(tmpdir(), 'daftari-file-'));
  const remove = () => rm(folder, { recursive: true, force: true });
  const path = join(folder, 'file');
  try {
    const limit = limited(mostMebibytes * 1024 * 1024);
    await pipeline(body, limit, createWriteStream(path, { mode: 0o600 }));
  } catch (cause) {
    await remove();
    if (cause instanceof TooLarge) {
      const detail = `The file has more than ${String(mostMebibytes)} MiB.`;
      throw httpProblem('body_too_large', { detail, headers: { connection: 'close' } });
    }
    throw httpProblem('malformed_request', { detail: 'The body broke off. Nothing was changed.', cause });
  }
  return { path, [Symbol.asyncDispose]: remove };
}

class TooLarge extends Error {}

function limited(most: number) {
  return async function* pass(source: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
    let length = 0;
    for await (const chunk of source) {
      length += chunk.length;
      if (length > most) throw new TooLarge();
      yield chunk;
    }
  };
}
