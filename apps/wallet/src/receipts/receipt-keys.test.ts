import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { EnvironmentError } from '@repo/http';
import { newSigningKey } from '@repo/receipts';
import { expect, onTestFinished, test } from 'vitest';
import { readReceiptKeys } from './receipt-keys.ts';

async function fileWith(content: string): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'receipt-keys-'));
  onTestFinished(() => rm(folder, { recursive: true }));
  const path = join(folder, 'keys.json');
  await writeFile(path, content);
  return path;
}

test('the keys are read from the text itself and from the file that it names', async () => {
  const key = await newSigningKey();
  const jwks = JSON.stringify({ keys: [key] });
  for (const setting of [jwks, `\n  ${jwks}`, await fileWith(jwks)]) {
    const { keys, areTemporary } = await readReceiptKeys(setting);
    expect(keys.signer.kid).toBe(key.kid);
    expect(areTemporary).toBe(false);
  }
});

test('without a setting each process has a key of its own, and says that it will not last', async () => {
  const [one, two] = [await readReceiptKeys(undefined), await readReceiptKeys(undefined)];
  expect(one.areTemporary).toBe(true);
  expect(one.keys.signer.kid).not.toBe(two.keys.signer.kid);
});

test('keys that cannot be used are refused, and nothing of them is repeated', async () => {
  const { d, ...withoutPrivatePart } = await newSigningKey();
  const secret = `{"keys": [{"d": "${d}"`;
  const bad = [
    secret,
    await fileWith(secret),
    await fileWith(''),
    '{"keys":[]}',
    JSON.stringify({ keys: [withoutPrivatePart] }),
  ];
  for (const setting of bad) {
    const reading = readReceiptKeys(setting);
    await expect(reading).rejects.toThrow(EnvironmentError);
    await expect(reading).rejects.toThrow('RECEIPT_KEYS  is not valid: ');
    await expect(reading).rejects.not.toThrow(d);
  }
});

test('a file that is not there is named by what is wrong with it', async () => {
  await expect(readReceiptKeys('/nowhere/keys.json')).rejects.toThrow(
    'the file that it names cannot be read (ENOENT)',
  );
});
