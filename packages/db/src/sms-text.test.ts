import fc from 'fast-check';
import { expect, test } from 'vitest';
import { amounts, texts } from './testing/arbitraries.ts';
import { useTestDb } from './testing/test-db.ts';

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
  readonly other?: string | null;
  readonly balance?: string | null;
}

const ORDINARY = {
  template: 'deposit',
  language: 'en',
  reference: 'QKJ41HARMI',
  amount: '1500',
  currency: 'KES',
  wallet: '2048173651',
  other: 'Wanjiku Kamau',
  balance: '20350.5',
};

async function textOf(facts: Facts): Promise<unknown> {
  const { template, language, reference, amount, currency, wallet, other, balance } = {
    ...ORDINARY,
    ...facts,
  };
  const [row] = await database.sql(
    'SELECT services.sms_text($1, $2, $3, $4::numeric, $5, $6, $7, $8::numeric) AS text',
    [template, language, reference, amount, currency, wallet, other, balance],
  );
  return row?.['text'];
}

test.for([
  [
    'en',
    'deposit',
    'QKJ41HARMI confirmed. KES 1,500.00 received in wallet 2048173651. New balance KES 20,350.50.',
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
    'KES 1,500.00 to Wanjiku Kamau was not sent. No money has left your wallet. Balance KES 20,350.50.',
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
    'QKJ41HARMI imethibitishwa. Umepokea KES 1,500.00 kwenye pochi 2048173651. Salio jipya KES 20,350.50.',
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
    'KES 1,500.00 kwa Wanjiku Kamau hazikutumwa. Pesa haijatoka kwenye pochi yako. Salio KES 20,350.50.',
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
  expect(await textOf({ language, template })).toBe(text);
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
    other: 'Wamaitha Nyokabi Njoroge Kariuki',
  });
  expect(String(text).length).toBeLessThanOrEqual(160);
});

// What GSM-7 has of ASCII, without its extension table, of which each character counts two.
const GSM_7 = /^[A-Za-z0-9 .,'&/()+*:-]+$/;

test('whatever the counterparty is called, the text stays in the alphabet of one-part messages', async () => {
  const facts = fc.record({
    template: fc.constantFrom(...TEMPLATES),
    language: fc.constantFrom('en', 'sw'),
    other: fc.oneof(texts, fc.string({ unit: 'grapheme' }), fc.constant(null)),
    amount: amounts,
  });
  const run = fc.asyncProperty(facts, async (some) => {
    expect(await textOf(some)).toMatch(GSM_7);
  });
  await fc.assert(run, { numRuns: 200 });
});

test.for([
  ["Ng'ang'a O'Brien", "Ng'ang'a O'Brien"],
  ['Zoë Çelik', 'Zoe Celik'],
  ['{Ali} ~ [x]', 'Ali  x'],
  ['李小龍', 'a customer'],
  [null, 'a customer'],
  ['  ', 'a customer'],
  ['0712****78', '0712****78'],
  ['Nyokabi '.repeat(6), 'Nyokabi Nyokabi Nyokabi N'],
])('the counterparty %j is called %j', async ([other, called]) => {
  expect(await textOf({ template: 'transfer_out', other: other ?? null, balance: null })).toBe(
    `QKJ41HARMI confirmed. KES 1,500.00 sent to ${called ?? ''}.`,
  );
});

test('what is worded badly is worded plainly, and never fails the money that it tells about', async () => {
  expect(await textOf({ template: 'nonsense' })).toBe(
    'QKJ41HARMI confirmed. KES 1,500.00. New balance KES 20,350.50.',
  );
  expect(await textOf({ language: 'fr' })).toMatch(/confirmed/);
  const nothing = { reference: null, amount: null, currency: null, wallet: null, other: null, balance: null };
  for (const template of TEMPLATES)
    for (const language of ['en', 'sw'])
      expect(await textOf({ template, language, ...nothing })).toBeTypeOf('string');
});

test('the balance is left out where there is none', async () => {
  expect(await textOf({ balance: null })).toBe(
    'QKJ41HARMI confirmed. KES 1,500.00 received in wallet 2048173651.',
  );
});

test('a template without a name and a message without a language are plain as well', async () => {
  const [row] = await database.sql(
    'SELECT services.sms_text(NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL) AS text',
  );
  expect(row?.['text']).toBeTypeOf('string');
});
