import { afterEach, expect, test } from 'vitest';
import { recordDeposit } from '../deposits/record-deposits.ts';
import { findSmsTemplate, listSmsTemplates, previewSmsTemplate, setSmsTemplate } from './templates.ts';
import { sampleDeposit } from '../testing/deposits/sample-deposit.ts';
import { connect, useTestDb } from '../testing/database/test-db.ts';
import { openCustomer } from '../testing/database/wallet-fixtures.ts';

const database = useTestDb();
const WHO = { changedBy: 'Achieng', reason: 'shorter' };
const DEPOSIT = { key: 'deposit', language: 'en' } as const;
const ORIGINAL =
  '{reference} confirmed. {amount} received[ from {name}] in wallet {wallet}.[ New balance {balance}.]';

afterEach(async () => {
  await setSmsTemplate(database.db, { ...DEPOSIT, text: ORIGINAL, ...WHO });
});

async function newsOf(receipt: string): Promise<unknown> {
  const [row] = await database.sql('SELECT message FROM services.sms_logs WHERE transaction_reference = $1', [
    receipt,
  ]);
  return row?.['message'];
}

test('a text that is changed is used by the next message, and who changed it and why is kept', async () => {
  const account = await openCustomer(database.db);
  const text = 'Tumepokea {amount} ({reference})[ / {name}] - {wallet}[, {balance}]';
  const changed = await setSmsTemplate(database.db, { ...DEPOSIT, text, ...WHO });
  expect(changed).toMatchObject({ ...DEPOSIT, text });
  const payment = sampleDeposit({ account, amount: '250.00', name: 'Otieno' });
  await recordDeposit(database.db, payment);
  expect(await newsOf(payment.receipt)).toBe(
    `Tumepokea KES 250.00 (${payment.receipt}) / Otieno - ${account}, KES 250.00`,
  );
  const [change] = await database.sql(
    `SELECT key, language, text, changed_by, reason FROM services.sms_template_changes ORDER BY created_at DESC, id DESC LIMIT 1`,
  );
  expect(change).toEqual({ ...DEPOSIT, text, changed_by: 'Achieng', reason: 'shorter' });
});

test('the last text of the history is the one in use, also when that change began first', async () => {
  const texts = ['1', '2', '3'].map((end) => `{reference} {amount} {wallet} ${end}`);
  const first = await connect(database.url);
  try {
    await first.query('BEGIN');
    await first.query('SELECT now()'); // stands still in it from here on
    for (const text of texts.slice(0, 2)) await setSmsTemplate(database.db, { ...DEPOSIT, text, ...WHO });
    await first.query(`SELECT services.set_sms_template('deposit', 'en', $1, 'Achieng', 'x')`, [texts[2]]);
    await first.query('COMMIT');
  } finally {
    await first.end();
  }
  const rows = await database.sql(
    `SELECT text FROM services.sms_template_changes ORDER BY created_at DESC LIMIT 3`,
  );
  expect(rows.map((row) => row['text']).toReversed()).toEqual(texts);
});

test('a name that looks like a placeholder is not filled in', async () => {
  const account = await openCustomer(database.db);
  const text = '{reference} {amount} {wallet} {name}[ {balance}]';
  await setSmsTemplate(database.db, { ...DEPOSIT, text, ...WHO });
  const payment = sampleDeposit({ account, amount: '250.00', name: '{balance} %5$s {name}' });
  await recordDeposit(database.db, payment);
  expect(await newsOf(payment.receipt)).toBe(
    `${payment.receipt} KES 250.00 ${account} balance s name KES 250.00`,
  );
});

test('a per cent sign is itself', async () => {
  const text = '{reference} {amount} {wallet} 100% %s %1$s';
  expect(await previewSmsTemplate(database.db, { ...DEPOSIT, text })).toBe(
    'QKJ41HARMI KES 9,999,999.99 2048173651 100% %s %1$s',
  );
});

test.for([
  ['alphabet', '{reference} {amount} {wallet} \u{1F600}'],
  ['alphabet', '{reference} {amount} {wallet} ’'],
  ['alphabet', '{reference} {amount} {wallet} €'],
  ['alphabet', '{reference} {amount} {wallet}\nnow'],
  ['alphabet', ' '],
  ['malformed', '{reference} {amount} {wallet} {'],
  ['malformed', '{reference} {amount} {wallet} }'],
  ['malformed', '{reference} {amount} {wallet} {{name}}'],
  ['malformed', '{reference} {amount} {wallet} [now]'],
  ['malformed', '{reference} {amount} {wallet} [ {name}'],
  ['malformed', '{reference} {amount} {wallet} [ [{name}] ]'],
  ['malformed', '{reference} {amount} {wallet} [{name} {balance}]'],
  ['unknown_placeholder', '{reference} {amount} {wallet} {phone}'],
  ['unknown_placeholder', '{reference} {amount} {wallet} {reason}'],
  ['unknown_placeholder', '{reference} {amount} {wallet} { name }'],
  ['missing_placeholder', '{amount} {wallet}'],
  ['too_long', `{reference} {amount} {wallet} ${'x'.repeat(160)}`],
] as const)('%s: %s is refused', async ([fault, text]) => {
  const refusal = { code: 'invalid_template', message: expect.stringContaining(fault) as string };
  await expect(setSmsTemplate(database.db, { ...DEPOSIT, text, ...WHO })).rejects.toMatchObject(refusal);
  await expect(previewSmsTemplate(database.db, { ...DEPOSIT, text })).rejects.toMatchObject(refusal);
  expect(await findSmsTemplate(database.db, DEPOSIT)).toMatchObject({ text: ORIGINAL });
});

test('an unknown message has no text', async () => {
  const text = '{reference}';
  for (const other of [
    { ...DEPOSIT, key: 'winner' },
    { ...DEPOSIT, language: 'fr' },
    { ...DEPOSIT, key: 'a\0b' },
  ]) {
    await expect(setSmsTemplate(database.db, { ...other, text, ...WHO })).rejects.toMatchObject({
      code: 'unknown_template',
    });
  }
});

test.for([
  ['nobody', { changedBy: ' ', reason: 'x' }],
  ['no reason', { changedBy: 'x', reason: '' }],
] as const)('a change by %s is refused', async ([, by]) => {
  await expect(setSmsTemplate(database.db, { ...DEPOSIT, text: ORIGINAL, ...by })).rejects.toMatchObject({
    code: 'invalid_request',
  });
});

test.for([
  `UPDATE services.sms_templates SET text = 'x'`,
  `UPDATE services.sms_templates SET formats = '{a,b,c,d}'`,
  `DELETE FROM services.sms_templates`,
  `INSERT INTO services.sms_templates (key, language, text, formats) VALUES ('x', 'en', 'x', '{a,b,c,d}')`,
])('%s is refused', async (statement) => {
  await expect(database.sql(statement)).rejects.toMatchObject({ code: 'DF003' });
});

test.for([
  'TRUNCATE services.sms_templates',
  `DELETE FROM services.sms_template_changes`,
  `UPDATE services.sms_template_changes SET reason = 'x'`,
])('%s is refused: it is a record', async (statement) => {
  await expect(database.sql(statement)).rejects.toMatchObject({ code: 'DF001' });
});

test('every message has a text in both languages that passes its own rules', async () => {
  const templates = await listSmsTemplates(database.db);
  expect(new Set(templates.map(({ key }) => key)).size * 2).toBe(templates.length);
  for (const template of templates) {
    expect(await previewSmsTemplate(database.db, template)).toBe(template.sample);
    expect(template.sample.length).toBeLessThanOrEqual(160);
  }
});
