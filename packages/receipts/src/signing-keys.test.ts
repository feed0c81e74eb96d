import { expect, test } from 'vitest';
import { createSigningKeys, newSigningKey, publicJwks, readPublicJwks } from './signing-keys.ts';
import { freshKeys, keysOf } from './testing/examples.ts';

test('what is published has no private part', async () => {
  const [key, old] = [await newSigningKey(), await newSigningKey()];
  const published = publicJwks(await keysOf(key, old));
  const { d: _, ...expected } = key;
  expect(published.keys[0]).toEqual(expected);
  expect(JSON.stringify(published)).not.toMatch(new RegExp(`"d"|${key.d}|${old.d}`));
});

test('what is published can be read again', async () => {
  const published = publicJwks(await freshKeys());
  expect(await readPublicJwks(JSON.stringify(published))).toEqual(published);
});

test('reading keys for verification drops a private part that was left in', async () => {
  const key = await newSigningKey();
  const read = await readPublicJwks(JSON.stringify({ keys: [key] }));
  expect(JSON.stringify(read)).not.toContain(key.d);
});

test('a key without an id is named by its RFC 7638 thumbprint', async () => {
  // The key and its thumbprint are those of RFC 8037, appendix A.
  const keys = await keysOf({
    ...({ d: 'nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A' } as object),
    kty: 'OKP',
    crv: 'Ed25519',
    x: '11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo',
  });
  expect(keys.signer.kid).toBe('kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k');
});

const SECRET = 'nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A';
const OKP = { kty: 'OKP', crv: 'Ed25519', x: '11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo', d: SECRET };
const { d: _, ...publicPart } = OKP;

test.each<[string, string, RegExp]>([
  ['no JSON', `{"keys": [{"d": "${SECRET}"`, /not JSON/],
  ['no key set', JSON.stringify(OKP), /"keys" is not/],
  ['an empty set', '{"keys": []}', /"keys" is not/],
  ['a key of another kind', JSON.stringify({ keys: [{ ...OKP, kty: 'RSA' }] }), /"keys.0.kty" is not/],
  ['a key for HMAC', JSON.stringify({ keys: [{ kty: 'oct', k: SECRET }] }), /"keys.0.kty" is not/],
  ['a public key in front', JSON.stringify({ keys: [publicPart] }), /private part "d"/],
  ['the same key twice', JSON.stringify({ keys: [OKP, publicPart] }), /the same "kid"/],
  [
    'two halves of different keys',
    JSON.stringify({ keys: [{ ...OKP, x: '_5QiXdjHyXX6DWVPcpDJZIPB09vzEsCXkWjOZ1XgXJk' }] }),
    /does not belong/,
  ],
])('%s is refused with what to do, and without the secret', async (_what, text, message) => {
  const error: unknown = await createSigningKeys(text).catch((reason: unknown) => reason);
  expect(error).toMatchObject({ code: 'KEYS_INVALID', message: expect.stringMatching(message) as string });
  expect(JSON.stringify([String(error), (error as Error).cause ?? ''])).not.toContain(SECRET);
});
