import { createHash } from 'node:crypto';
import { existsSync, readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { DaftariError } from '../errors.ts';

/** Where the models are, where Prisma's client is generated to, and the package whose manifest names its version. */
export interface ClientPlace {
  readonly models: string;
  readonly output: string;
  readonly manifest: string;
}

export const CLIENT_PLACE: ClientPlace = {
  models: join(import.meta.dirname, '../../../../prisma/schema'),
  output: join(import.meta.dirname, '../generated'),
  manifest: join(import.meta.dirname, '../../package.json'),
};

/** What the client is generated from, as a digest; null where the models are not, as in an image without sources. */
export function schemaDigest({ models, manifest }: ClientPlace): string | null {
  if (!existsSync(models)) return null;
  const { dependencies } = JSON.parse(readFileSync(manifest, 'utf8')) as {
    dependencies: Readonly<Record<string, string>>;
  };
  const hash = createHash('sha256').update(dependencies['@prisma/client'] ?? '');
  const names = readdirSync(models).filter((name) => name.endsWith('.prisma'));
  for (const name of names.toSorted()) hash.update(name).update(readFileSync(join(models, name)));
  return hash.digest('hex');
}

/** The file in which the generated client keeps the digest of what it was made from. */
export function stampOf({ output }: ClientPlace): string {
  return join(output, '.schema-digest');
}

/** Whether the generated client is that of the models as they are now. */
export function isClientCurrent(place: ClientPlace): boolean {
  const digest = schemaDigest(place);
  if (digest === null) return true;
  const stamp = stampOf(place);
  return existsSync(stamp) && readFileSync(stamp, 'utf8') === digest;
}

/**
 * An old client would read and write the columns of another schema, so nothing is opened with one.
 *
 * @throws {DaftariError} client_outdated
 */
export function assertClientCurrent(place: ClientPlace = CLIENT_PLACE): void {
  if (!isClientCurrent(place)) throw new DaftariError('client_outdated');
}
