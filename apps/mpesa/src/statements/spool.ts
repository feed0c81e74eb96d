import { createWriteStream } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { httpProblem } from '@repo/http';

/** A file that is removed with the request that it came with. */
export interface SpooledFile extends AsyncDisposable {
  readonly path: string;
}

/** A statement of a million lines has less than 200 MiB. */
const LONGEST = 512 * 1024 * 1024;

/**
 * Writes a body into a temporary file: a workbook is read from its end, and the digest of a file is needed before its lines.
 *
 * @throws HttpProblem `body_too_large`; `malformed_request` when the body breaks off
 */
export async function spool(body: Readable): Promise<SpooledFile> {
  const folder = await mkdtemp(join(tmpdir(), 'daftari-statement-'));
  const remove = () => rm(folder, { recursive: true, force: true });
  const path = join(folder, 'statement');
  try {
    await pipeline(body, limited, createWriteStream(path, { mode: 0o600 }));
  } catch (cause) {
    await remove();
    if (cause instanceof TooLarge) {
      const detail = 'A statement has at most 512 MiB.';
      throw httpProblem('body_too_large', { detail, headers: { connection: 'close' } });
    }
    throw httpProblem('malformed_request', { detail: 'The body broke off. Nothing was imported.', cause });
  }
  return { path, [Symbol.asyncDispose]: remove };
}

class TooLarge extends Error {}

async function* limited(source: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
  let length = 0;
  for await (const chunk of source) {
    length += chunk.length;
    if (length > LONGEST) throw new TooLarge();
    yield chunk;
  }
}
