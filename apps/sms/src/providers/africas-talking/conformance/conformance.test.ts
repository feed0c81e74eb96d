import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import { bareEnvironment } from '@repo/testing/env';
import { expect, onTestFinished, test } from 'vitest';

const script = fileURLToPath(new URL('conformance.ts', import.meta.url));

const RECIPIENT = {
  statusCode: 101,
  number: '+254700000126',
  status: 'Success',
  cost: 'KES 1.6000',
  messageId: 'ATXid_77',
};

function response(body: unknown, http_status = 201) {
  return { category: 'at-response', raw: JSON.stringify(body), body, http_status };
}

function sent(...recipients: object[]) {
  return response({ SMSMessageData: { Message: 'Sent to 1/1 Total Cost: USD 0.1', Recipients: recipients } });
}

function form(category: string, body: Record<string, string>) {
  const raw = new URLSearchParams(body).toString();
  return { category, raw, body };
}

async function run(samples: Record<string, object>) {
  const folder = await mkdtemp(join(tmpdir(), 'conformance-'));
  onTestFinished(() => rm(folder, { recursive: true }));
  for (const [name, sample] of Object.entries(samples)) {
    await writeFile(join(folder, `${name}.json`), JSON.stringify(sample));
  }
  const child = spawn(process.execPath, [script, folder], { env: bareEnvironment() });
  const [out, [code]] = await Promise.all([text(child.stdout), once(child, 'exit')]);
  return { out, code: code as number };
}

test('it reads every message of a folder and shows what was understood', async () => {
  const refused = { ...RECIPIENT, statusCode: 406, status: 'UserInBlacklist', cost: '0', messageId: 'None' };
  const { out, code } = await run({
    '1-sent': sent(RECIPIENT),
    '2-refused': sent(refused),
    '3-whole': response({ SMSMessageData: { Message: 'InvalidSenderId', Recipients: [] } }),
    '4-balance': response({ UserData: { balance: 'KES 12.50' } }, 200),
    '5-report': form('at-delivery-report', {
      id: 'ATXid_77',
      status: 'Failed',
      failureReason: 'UserInBlackList',
    }),
    '6-opt-out': form('at-optout', { senderId: 'BRAND', phoneNumber: '+254700000126' }),
    '7-other': { category: 'stk-callback', raw: '{}', body: {} },
  });
  expect(out).toContain('6 messages, 6 readings, 0 wrong');
  expect(code).toBe(0);
  expect(out).toMatch(/1-sent.*accepted \(101 Success\).*ATXid_77.*KES 1\.6000/);
  expect(out).toMatch(/2-refused.*refused blacklisted/);
  expect(out).toMatch(/3-whole.*retry provider invalid_sender/);
  expect(out).toMatch(/4-balance.*KES 12\.50/);
  expect(out).toMatch(/5-report.*failed, Failed, UserInBlackList/);
});

test('a difference between the sample and what was read is reported, and the exit code is 1', async () => {
  const { out, code } = await run({
    '1-cost': { ...sent(RECIPIENT), raw: JSON.stringify(sent({ ...RECIPIENT, cost: 'KES 0.8000' }).body) },
    '2-report': { ...form('at-delivery-report', { id: '1', status: 'Sent' }), raw: 'id=1' },
  });
  expect(out).toContain('2 messages, 2 readings, 2 wrong');
  expect(out).toContain('cost: 0.8000 instead of 1.6000');
  expect(code).toBe(1);
});

test('a folder without messages ends it with 1', async () => {
  expect((await run({})).code).toBe(1);
});
