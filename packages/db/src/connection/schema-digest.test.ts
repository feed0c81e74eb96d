import { cp, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { assertClientCurrent, CLIENT_PLACE, schemaDigest, stampOf } from './schema-digest.ts';
import type { ClientPlace } from './schema-digest.ts';

/** The repository's models in a folder of the test's own, with a client that was generated from them. */
async function createPlace(): Promise<ClientPlace & AsyncDisposable> {
  const folder = await mkdtemp(join(tmpdir(), 'client-'));
  const models = join(folder, 'schema');
  const manifest = join(folder, 'package.json');
  await cp(CLIENT_PLACE.models, models, { recursive: true });
  await cp(CLIENT_PLACE.manifest, manifest);
  const place = { models, manifest, output: folder };
  await writeFile(stampOf(place), schemaDigest(place) ?? '');
  return { ...place, [Symbol.asyncDispose]: () => rm(folder, { recursive: true }) };
}

test('the client of the models as they are is taken', async () => {
  await using place = await createPlace();
  expect(() => assertClientCurrent(place)).not.toThrow();
  expect(() => assertClientCurrent()).not.toThrow();
});

test('a client that is older than the models, or than its own version, is refused with what to do', async () => {
  await using place = await createPlace();
  const core = join(place.models, 'core.prisma');
  const models = await readFile(core, 'utf8');
  await writeFile(core, `${models}\n// changed\n`);
  expect(() => assertClientCurrent(place)).toThrow('generate');
  await writeFile(core, models);
  expect(() => assertClientCurrent(place)).not.toThrow();
  await writeFile(place.manifest, '{"dependencies":{"@prisma/client":"7.99.0"}}');
  expect(() => assertClientCurrent(place)).toThrow('generate');
});

test('a client that was never finished is refused', async () => {
  await using place = await createPlace();
  await rm(stampOf(place));
  expect(() => assertClientCurrent(place)).toThrow('generate');
});

test('without models beside it, as in an image without sources, a client is taken as it is', async () => {
  await using place = await createPlace();
  await rm(place.models, { recursive: true });
  expect(() => assertClientCurrent(place)).not.toThrow();
});
