import { CompactSign } from 'jose';
import { createHmac } from 'node:crypto';
import fc from 'fast-check';
import { beforeAll, describe, expect, test } from 'vitest';
import { maskFacts } from './masking.ts';
import { createSigningKeys, newSigningKey, publicJwks } from './signing-keys.ts';
import type { PublicJwks, SigningKeys } from './signing-keys.ts';
import { signReceipt, verifySignedReceipt } from './signed-receipt.ts';
import type { Receipt } from './signed-receipt.ts';
import { anyFacts, BASE_URL, exampleFacts, freshKeys, hostileTexts, keysOf } from './testing/examples.ts';

let keys: SigningKeys;
let jwks: PublicJwks;
let receipt: Receipt;
let header: Record<string, unknown>;
let content: Record<string, unknown>;

beforeAll(async () => {
  keys = await freshKeys();
  jwks = publicJwks(keys);
  receipt = await signReceipt(keys, exampleFacts(), { baseUrl: BASE_URL });
  [header = {}, content = {}] = receipt.jws.split('.').slice(0, 2).map(decode);
});

function decode(part: string): Record<string, unknown> {
  return JSON.parse(Buffer.from(part, 'base64url').toString('utf8')) as Record<string, unknown>;
}

function encode(value: unknown): string {
  return Buffer.from(JSON.stringify(value), 'utf8').toString('base64url');
}

/** What a person who has the key, but not our code, could sign. */
function signAnything(value: unknown, changes: object = {}): Promise<string> {
  return new CompactSign(Buffer.from(JSON.stringify(value)))
    .setProtectedHeader({ ...header, alg: 'EdDSA', ...changes })
    .sign(keys.signer.key);
}

async function verdictOn(jws: string): Promise<string> {
  const verification = await verifySignedReceipt(jwks, jws);
  return verification.genuine ? 'genuine' : verification.reason;
}

test('a receipt is genuine, and shows what was signed', async () => {
  expect(await verifySignedReceipt(jwks, receipt.jws)).toEqual({ genuine: true, receipt });
});

test('any transaction can be signed and verified, masked', async () => {
  await fc.assert(
    fc.asyncProperty(anyFacts, async (facts) => {
      const signed = await signReceipt(keys, facts, { baseUrl: BASE_URL });
      expect(signed.facts).toEqual(maskFacts(facts));
      expect(await verifySignedReceipt(jwks, signed.jws)).toEqual({ genuine: true, receipt: signed });
    }),
  );
});

test('the signed text holds masked parties only', async () => {
  const text = JSON.stringify([header, content]);
  expect(text).not.toMatch(/John|Mwangi|Wanjiku|4412098848|9912091234/);
  expect(content['from']).toEqual({ kind: 'customer', number: '******8848', name: 'J*** M*****' });
});

test('the header names algorithm, type and key', () => {
  expect(header).toEqual({ alg: 'EdDSA', typ: 'daftari-receipt+jws', kid: keys.signer.kid });
});

test('signing the same again gives the same bytes', async () => {
  expect(await signReceipt(keys, exampleFacts(), { baseUrl: BASE_URL })).toEqual(receipt);
});

test('the address to check it has the reference, escaped, and the hash', async () => {
  const facts = exampleFacts({ reference: `A/B (c)'#?` });
  const signed = await signReceipt(keys, facts, { baseUrl: `${BASE_URL}/pay/` });
  expect(signed.verifyUrl).toBe(`${BASE_URL}/pay/verify/A%2FB%20%28c%29%27%23%3F/${facts.verificationHash}`);
});

test.each(['', 'wallet.example', 'javascript:alert(1)', 'https://user:pw@wallet.example'])(
  'the public address %j is refused',
  async (bad) => {
    const signing = signReceipt(keys, exampleFacts(), { baseUrl: bad });
    await expect(signing).rejects.toMatchObject({ code: 'BASE_URL_INVALID' });
  },
);

test('a transaction that contradicts its hash is not signed', async () => {
  const tampered = { ...exampleFacts(), amount: '9500.00' };
  await expect(signReceipt(keys, tampered, { baseUrl: BASE_URL })).rejects.toMatchObject({
    code: 'FACTS_CONTRADICT_HASH',
  });
});

describe('a forgery', () => {
  const others: Record<string, unknown> = {
    version: 1,
    reference: 'TRF-01JD8Y2Q4V7N',
    type: 'deposit',
    amount: '9500.00',
    currency: 'USD',
    createdAt: '2026-11-22T17:15:00.001Z',
    verificationHash: '0'.repeat(64),
    from: { kind: 'customer', number: '******8849', name: 'J*** M*****' },
    to: { kind: 'customer', number: '******1234', name: 'X***** N**** K****' },
    verifyUrl: 'https://wallet.example.com/verify',
    paidAt: '2026-11-22T17:15:00.001Z',
    fee: { amount: '1.00', paidBy: 'from' },
    narrative: 'x',
    issuer: { name: 'x', contact: null },
  };

  test('with any field changed is found', async () => {
    const [head, , signature] = receipt.jws.split('.');
    expect(Object.keys(others).toSorted()).toEqual(Object.keys(content).toSorted());
    for (const [field, other] of Object.entries(others)) {
      const forged = `${head}.${encode({ ...content, [field]: other })}.${signature}`;
      expect([field, await verdictOn(forged)]).toEqual([field, 'bad_signature']);
    }
  });

  test('with any one character changed is found', async () => {
    await fc.assert(
      fc.asyncProperty(fc.nat(receipt.jws.length - 1), fc.constantFrom(...'Aa0-_.='), async (at, sign) => {
        const forged = receipt.jws.slice(0, at) + sign + receipt.jws.slice(at + 1);
        fc.pre(forged !== receipt.jws);
        expect(await verdictOn(forged)).not.toBe('genuine');
      }),
      { numRuns: 300 },
    );
  });

  test('whose signature is written in another way is found, though it decodes to the same bytes', async () => {
    const next = String.fromCharCode((receipt.jws.codePointAt(receipt.jws.length - 1) ?? 0) + 1);
    const forged = receipt.jws.slice(0, -1) + next;
    const [one, other] = [receipt.jws, forged].map((jws) =>
      Buffer.from(jws.split('.')[2] ?? '', 'base64url'),
    );
    expect(one).toEqual(other);
    expect(await verdictOn(forged)).toBe('not_signed');
  });

  test('signed with another key of the same name is found', async () => {
    const other = await keysOf({ ...(await newSigningKey()), kid: keys.signer.kid });
    const signed = await signReceipt(other, exampleFacts(), { baseUrl: BASE_URL });
    expect(await verdictOn(signed.jws)).toBe('bad_signature');
  });

  test('signed with a key that was never published is found', async () => {
    const signed = await signReceipt(await freshKeys(), exampleFacts(), { baseUrl: BASE_URL });
    expect(await verdictOn(signed.jws)).toBe('unknown_key');
  });

  test('without a key name is found', async () => {
    expect(await verdictOn(await signAnything(content, { kid: undefined }))).toBe('unknown_key');
  });

  test.each(['none', 'None', 'HS256', 'ES256', 'Ed448'])(
    'that claims the algorithm %s is refused',
    async (alg) => {
      const signingInput = `${encode({ ...header, alg })}.${encode(content)}`;
      const [key] = jwks.keys;
      const secrets = [
        Buffer.from(key?.x ?? '', 'base64url'),
        Buffer.from(JSON.stringify(key)),
        Buffer.from(key?.x ?? ''),
      ];
      const macs = secrets.map((secret) =>
        createHmac('sha256', secret).update(signingInput).digest('base64url'),
      );
      for (const signature of ['', ...macs]) {
        expect(await verdictOn(`${signingInput}.${signature}`)).toBe('wrong_algorithm');
      }
    },
  );

  test('that brings its own key along is refused', async () => {
    const mine = await newSigningKey();
    const signer = await createSigningKeys(JSON.stringify({ keys: [mine] }));
    const { d: _, ...jwk } = mine;
    const jws = await new CompactSign(Buffer.from(JSON.stringify(content)))
      .setProtectedHeader({ ...header, alg: 'EdDSA', jwk })
      .sign(signer.signer.key);
    expect(await verdictOn(jws)).toBe('bad_signature');
  });

  test('that is something else, signed with the right key, is refused', async () => {
    expect(await verdictOn(await signAnything(content, { typ: 'JWT' }))).toBe('wrong_type');
    expect(await verdictOn(await signAnything({ ...content, version: 3 }))).toBe('wrong_content');
    expect(await verdictOn(await signAnything({ ...content, extra: 1 }))).toBe('wrong_content');
    expect(await verdictOn(await signAnything([]))).toBe('wrong_content');
    expect(await verdictOn(await signAnything({ ...content, amount: '9500.00' }))).toBe('hash_mismatch');
  });

  test('made of any text gets a verdict, not an error', async () => {
    const parts = fc.oneof(
      fc.constant(''),
      hostileTexts,
      fc.json().map((json) => Buffer.from(json).toString('base64url')),
    );
    await fc.assert(
      fc.asyncProperty(fc.array(parts, { maxLength: 4 }), async (texts) => {
        expect(await verdictOn(texts.join('.'))).not.toBe('genuine');
      }),
    );
  });
});

describe('after a rotation', () => {
  test('old receipts stay genuine, with the old private key gone too, and new ones have the new key', async () => {
    const [old, fresh] = [await newSigningKey(), await newSigningKey()];
    const before = await signReceipt(await keysOf(old), exampleFacts(), { baseUrl: BASE_URL });
    const { d: _, ...oldPublic } = old;
    const rotated = await keysOf(fresh, oldPublic);
    const after = await signReceipt(rotated, exampleFacts(), { baseUrl: BASE_URL });
    const verdicts = [before, after].map(({ jws }) => verifySignedReceipt(publicJwks(rotated), jws));
    expect((await Promise.all(verdicts)).map(({ genuine }) => genuine)).toEqual([true, true]);
    expect(decode(after.jws.split('.')[0] ?? '')['kid']).toBe(fresh.kid);
  });

  test('receipts of a key that was taken out are no longer genuine', async () => {
    const [old, fresh] = [await newSigningKey(), await newSigningKey()];
    const before = await signReceipt(await keysOf(old), exampleFacts(), { baseUrl: BASE_URL });
    const verification = await verifySignedReceipt(publicJwks(await keysOf(fresh)), before.jws);
    expect(verification).toEqual({ genuine: false, reason: 'unknown_key' });
  });
});
