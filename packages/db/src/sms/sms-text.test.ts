import fc from 'fast-check';
import { expect, test } from 'vitest';
import { amounts, texts } from '../testing/arbitraries.ts';
import { useTestDb } from '../testing/database/test-db.ts';

const database = useTestDb();

const TEMPLATES = [
  'deposit',
  'deposit_suspense',
  'transfer_out',
  'transfer_in',
  'transfer_refused',
  'withdrawal',
  'reversal_debit',
  'reversal_credit',
  'suspense_assigned',
] as const;

interface Facts {
  readonly template?: string;
  readonly language?: string;
  readonly reference?: string | null;
  readonly amount?: string | null;
  readonly currency?: string | null;
  readonly wallet?: string | null;
  readonly name?: string | null;
  readonly number?: string | null;
  readonly reason?: string | null;
  readonly balance?: string | null;
}

const ORDINARY = {
  template: 'deposit',
  language: 'en',
  reference: 'QKJ41HARMI',
  amount: '1500',
  currency: 'KES',
  wallet: '2048173651',
  name: 'Wanjiku Kamau',
  number: '3185294767',
  balance: '20350.5',
  reason: null,
};

async function textOf(facts: Facts): Promise<unknown> {
  const { template, language, reference, amount, currency, wallet, name, number, balance, reason } = {
    ...ORDINARY,
    ...facts,
  };
  const [row] = await database.sql(
    `SELECT services.sms_text(
              (SELECT formats FROM services.sms_templates WHERE key = $1 AND language = $2), $2, $3, $4::numeric, $5, $6,
              coalesce(services.sms_name($7), $8), $9::numeric, $10) AS text`,
    [template, language, reference, amount, currency, wallet, name, number, balance, reason],
  );
  return row?.['text'];
}

test.for([
  [
    'en',
    'deposit',
    'QKJ41HARMI confirmed. KES 1,500.00 received from Wanjiku Kamau in wallet 2048173651. New balance KES 20,350.50.',
  ],
  [
    'en',
    'deposit_suspense',
    'QKJ41HARMI confirmed. KES 1,500.00 received and safe, but not in a wallet yet. Contact us with this code.',
  ],
  [
    'en',
    'transfer_out',
    'QKJ41HARMI confirmed. KES 1,500.00 sent to Wanjiku Kamau. New balance KES 20,350.50.',
  ],
  [
    'en',
    'transfer_in',
    'QKJ41HARMI confirmed. KES 1,500.00 received from Wanjiku Kamau. New balance KES 20,350.50.',
  ],
  [
    'en',
    'transfer_refused',
    'KES 1,500.00 to 3185294767 was not sent: your balance is too low. No money has left your wallet.',
  ],
  [
    'en',
    'withdrawal',
    'QKJ41HARMI confirmed. KES 1,500.00 was paid out of your wallet 2048173651. New balance KES 20,350.50.',
  ],
  [
    'en',
    'reversal_debit',
    'QKJ41HARMI confirmed. KES 1,500.00 was taken back from your wallet 2048173651. New balance KES 20,350.50.',
  ],
  [
    'en',
    'reversal_credit',
    'QKJ41HARMI confirmed. KES 1,500.00 was returned to your wallet 2048173651. New balance KES 20,350.50.',
  ],
  [
    'en',
    'suspense_assigned',
    'QKJ41HARMI: KES 1,500.00 that waited is now in wallet 2048173651. New balance KES 20,350.50.',
  ],
  [
    'sw',
    'deposit',
    'QKJ41HARMI imethibitishwa. Umepokea KES 1,500.00 kutoka kwa Wanjiku Kamau kwenye pochi 2048173651. Salio jipya KES 20,350.50.',
  ],
  [
    'sw',
    'deposit_suspense',
    'QKJ41HARMI imethibitishwa. KES 1,500.00 zimepokelewa na ziko salama, ila bado hazina pochi. Wasiliana nasi kwa namba hii.',
  ],
  [
    'sw',
    'transfer_out',
    'QKJ41HARMI imethibitishwa. Umetuma KES 1,500.00 kwa Wanjiku Kamau. Salio jipya KES 20,350.50.',
  ],
  [
    'sw',
    'transfer_in',
    'QKJ41HARMI imethibitishwa. Umepokea KES 1,500.00 kutoka kwa Wanjiku Kamau. Salio jipya KES 20,350.50.',
  ],
  [
    'sw',
    'transfer_refused',
    'KES 1,500.00 kwa 3185294767 hazikutumwa: salio lako halitoshi. Pesa haijatoka kwenye pochi yako.',
  ],
  [
    'sw',
    'withdrawal',
    'QKJ41HARMI imethibitishwa. KES 1,500.00 zimetolewa kutoka pochi yako 2048173651. Salio jipya KES 20,350.50.',
  ],
  [
    'sw',
    'reversal_debit',
    'QKJ41HARMI imethibitishwa. KES 1,500.00 zimerudishwa kutoka pochi yako 2048173651. Salio jipya KES 20,350.50.',
  ],
  [
    'sw',
    'reversal_credit',
    'QKJ41HARMI imethibitishwa. KES 1,500.00 zimerudishwa kwenye pochi yako 2048173651. Salio jipya KES 20,350.50.',
  ],
  [
    'sw',
    'suspense_assigned',
    'QKJ41HARMI: KES 1,500.00 zilizosubiri sasa ziko kwenye pochi 2048173651. Salio jipya KES 20,350.50.',
  ],
] as const)('%s %s reads as it should', async ([language, template, text]) => {
  const refusal = template === 'transfer_refused' ? { name: null, reason: 'insufficient_funds' } : {};
  expect(await textOf({ language, template, ...refusal })).toBe(text);
});

test.for(
  TEMPLATES.flatMap(
    (template) =>
      [
        [template, 'en'],
        [template, 'sw'],
      ] as const,
  ),
)('%s in %s is one part with the longest facts that are real', async ([template, language]) => {
  const text = await textOf({
    template,
    language,
    reference: 'DF-0123456789AB',
    amount: '9999999.99',
    balance: '99999999.99',
    name: 'Wamaitha Nyokabi Njoroge Kariuki',
    reason: 'wallet_frozen',
  });
  expect(String(text).length).toBeLessThanOrEqual(160);
});

// The ASCII characters of GSM-7, without its extension table, whose characters count two each.
const GSM_7 = /^[A-Za-z0-9 .,'&/()+*:-]+$/;

test('whatever the counterparty is called, the text stays in the alphabet of one-part messages', async () => {
  const facts = fc.record({
    template: fc.constantFrom(...TEMPLATES),
    language: fc.constantFrom('en', 'sw'),
    name: fc.oneof(texts, fc.string({ unit: 'grapheme' }), fc.constant(null)),
    reason: fc.constantFrom('insufficient_funds', 'wallet_frozen', 'what nobody foresaw'),
    amount: amounts,
  });
  const run = fc.asyncProperty(facts, async (some) => {
    expect(await textOf(some)).toMatch(GSM_7);
  });
  await fc.assert(run, { numRuns: 200 });
});

test.for([
  ["Ng'ang'a O'Brien", "Ng'ang'a O'Brien"],
  ['Ng\u2019ang\u2019a', "Ng'ang'a"],
  ['Zoë Çelik', 'Zoe Celik'],
  ['{Ali} ~ [x]', 'Ali  x'],
  ['{balance} %1$s', 'balance s'],
  ['WIN bit.ly/Z9x 0700111222', 'WIN bit. lyZx'],
  ['Win\nNow', 'WinNow'],
  ['李小龍', 'a customer'],
  [null, '3185294767'],
  ['  ', 'a customer'],
  ['J. M. Otieno', 'J. M. Otieno'],
  ['Nyokabi '.repeat(6), 'Nyokabi Nyokabi Nyokabi N'],
])('the counterparty %j is called %j', async ([name, called]) => {
  expect(await textOf({ template: 'transfer_out', name: name ?? null, balance: null })).toBe(
    `QKJ41HARMI confirmed. KES 1,500.00 sent to ${called ?? ''}.`,
  );
});

test.for([
  ['en', 'a customer'],
  ['sw', 'mteja'],
])('in %s an unknown counterparty is %s', async ([language, called]) => {
  const text = await textOf({ template: 'transfer_out', name: null, number: null, language: language ?? '' });
  expect(text).toContain(` ${called ?? ''}.`);
});

test.for([
  [null, 'QKJ41HARMI confirmed. KES 1,500.00 received in wallet 2048173651. New balance KES 20,350.50.'],
  [
    'JOHN',
    'QKJ41HARMI confirmed. KES 1,500.00 received from JOHN in wallet 2048173651. New balance KES 20,350.50.',
  ],
])('a deposit of %j names the payer where M-PESA does', async ([name, text]) => {
  expect(await textOf({ name: name ?? null, number: null })).toBe(text);
});

test.for([
  ['insufficient_funds', 'your balance is too low', 'salio lako halitoshi'],
  ['unknown_wallet', 'no wallet has this number', 'nambari ya pochi haipo'],
  ['wallet_frozen', 'that wallet cannot receive money now', 'pochi hiyo haipokei pesa kwa sasa'],
  ['own_wallet', 'your wallet is locked', 'pochi yako imefungwa'],
  ['currency_mismatch', 'it cannot be done now', 'haikuwezekana kwa sasa'],
])('a refusal for %s says why', async ([reason, english, swahili]) => {
  const facts = { template: 'transfer_refused', name: null, reason: reason ?? '' };
  expect(await textOf({ ...facts, language: 'en' })).toContain(`was not sent: ${english ?? ''}.`);
  expect(await textOf({ ...facts, language: 'sw' })).toContain(`hazikutumwa: ${swahili ?? ''}.`);
});

test('what is worded badly is worded plainly, and never fails the money that it tells about', async () => {
  expect(await textOf({ template: 'nonsense' })).toBe('QKJ41HARMI confirmed. KES 1,500.00.');
  expect(await textOf({ language: 'fr' })).toMatch(/confirmed/);
  const nothing = { reference: null, amount: null, currency: null, wallet: null, name: null, number: null };
  for (const template of TEMPLATES)
    for (const language of ['en', 'sw'])
      expect(await textOf({ template, language, ...nothing })).toBeTypeOf('string');
});

test('a missing balance is left out', async () => {
  expect(await textOf({ balance: null, name: null, number: null })).toBe(
    'QKJ41HARMI confirmed. KES 1,500.00 received in wallet 2048173651.',
  );
});

test('a template without a name and a message without a language are plain as well', async () => {
  const [row] = await database.sql(
    'SELECT services.sms_text(NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL) AS text',
  );
  expect(row?.['text']).toBeTypeOf('string');
});
