import { execFile } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { receiptHtml } from './receipt-html.ts';
import { receiptJson } from './receipt-json.ts';
import { receiptPdf } from './receipt-pdf.ts';
import { signReceipt } from './signed-receipt.ts';
import type { Receipt } from './signed-receipt.ts';
import { createSigningKeys, publicJwks } from './signing-keys.ts';
import { BASE_URL, exampleFacts, freshKeys } from './testing/examples.ts';

interface Run {
  readonly code: number | string | null | undefined;
  readonly stdout: string;
  readonly stderr: string;
}

function run(command: string, ...args: readonly string[]): Promise<Run> {
  const script = join(import.meta.dirname, command);
  return new Promise((resolve) => {
    execFile(process.execPath, [script, ...args], (error, stdout, stderr) => {
      resolve({ code: error === null ? 0 : error.code, stdout, stderr });
    });
  });
}

let folder: string;
let receipt: Receipt;
let jwks: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'receipts-'));
  const keys = await freshKeys();
  receipt = await signReceipt(keys, exampleFacts(), { baseUrl: BASE_URL });
  jwks = await file('jwks.json', JSON.stringify(publicJwks(keys)));
});
afterAll(() => rm(folder, { recursive: true }));

async function file(name: string, content: string | Uint8Array): Promise<string> {
  const path = join(folder, name);
  await writeFile(path, content);
  return path;
}

test.each<[string, () => string | Promise<Uint8Array>]>([
  ['receipt.pdf', () => receiptPdf(receipt, { paper: 'roll' })],
  ['receipt.html', () => receiptHtml(receipt, { language: 'sw' })],
  ['receipt.json', () => JSON.stringify(receiptJson(receipt))],
  ['receipt.jws', () => `${receipt.jws}\n`],
])('the command says that %s is genuine, and what is signed', async (name, make) => {
  const { code, stdout, stderr } = await run(
    'verify-command.ts',
    await file(name, await make()),
    '--keys',
    jwks,
  );
  expect([code, stderr]).toEqual([0, '']);
  expect(stdout).toMatch(/^GENUINE\n/);
  for (const shown of ['TRF-01JD8Y2Q4V7M', 'KES 1,500.00', '22 Nov 2026, 20:15 EAT', receipt.verifyUrl]) {
    expect(stdout).toContain(shown);
  }
});

test('the command says that a changed page is forged, and what was really signed', async () => {
  const forged = await file('forged.html', receiptHtml(receipt).replaceAll('500.00', '900.00'));
  const { code, stdout } = await run('verify-command.ts', forged, '--keys', jwks);
  expect(code).toBe(1);
  expect(stdout).toMatch(/^FORGED: .*\(altered_copy\)\n/);
  expect(stdout).toContain('KES 1,500.00');
});

test('the command says that a receipt of other keys is forged', async () => {
  const other = await signReceipt(await freshKeys(), exampleFacts(), { baseUrl: BASE_URL });
  const { code, stdout } = await run('verify-command.ts', await file('other.jws', other.jws), '--keys', jwks);
  expect([code, stdout]).toEqual([1, expect.stringMatching(/^FORGED: .*\(unknown_key\)\n$/)]);
});

test.each<[string, () => Promise<string[]>, RegExp]>([
  ['no arguments', async () => [], /usage: /],
  ['no keys', async () => [jwks], /usage: /],
  ['an unknown option', async () => [jwks, '--key', jwks], /usage: /],
  ['a receipt that is not there', async () => [join(folder, 'absent.pdf'), '--keys', jwks], /cannot be read/],
  ['invalid keys', async () => [jwks, '--keys', await file('empty.json', '{}')], /keys cannot be used/],
  [
    'a file far too large',
    async () => [await file('large', Buffer.alloc(5_000_000)), '--keys', jwks],
    /larger than/,
  ],
])('with %s the command says what to do and that nothing was checked', async (_what, args, message) => {
  const { code, stdout, stderr } = await run('verify-command.ts', ...(await args()));
  expect([code, stdout]).toEqual([2, '']);
  expect(stderr).toMatch(message);
});

test('the command for a new key prints a key set that signs', async () => {
  const [one, other] = await Promise.all([run('new-key-command.ts'), run('new-key-command.ts')]);
  const keys = await createSigningKeys(one?.stdout ?? '');
  expect(keys.published.keys).toHaveLength(1);
  expect(one?.stdout).not.toBe(other?.stdout);
});
