import { hotAimTable, lookupTable, transferTable } from './ledger-tables.ts';
import { paragraph } from '../lib/markdown.ts';
import type { Summary } from './summary.ts';

/** The sections of transfers. */
export function renderTransfers(summary: Summary): string[] {
  return [
    `## Transfers per second\n\n${TRANSFERS}`,
    `### Random pairs\n\n${transferTable(summary, 'pairs')}`,
    `### One hot wallet\n\n${transferTable(summary, 'hot')}`,
    `### Aim, in transfers per second\n\n${hotAimTable(summary)}`,
  ];
}

/** The section of look-ups. */
export function renderLookups(summary: Summary): string[] {
  return [`## Look-ups per second\n\n${LOOKUPS}\n\n${lookupTable(summary)}`];
}

const TRANSFERS = paragraph(
  'Random pairs: from any wallet to any other. One hot wallet: everybody pays the same one. No wallet is ever short of',
  'money. **Textbook** is Prisma’s interactive `$transaction`: find both wallets, check, two updates, create the',
  'transaction; it runs on a copy of the database without the guards and without the two unique indexes of postings,',
  'remembers no refusals, and nothing keeps two of its transfers from spending the same money. **Intake** is `createTransferIntake`: idempotency key with the',
  'digest of the request, fee rules, holds, frozen and closed wallets, balances after it and its place in the order of',
  'each wallet, on the database as deployed; **and told** is the same with an SMS to both sides, queued in the same',
  'transaction, which the others do without. All have a pool of ten connections; the last columns are p50 / p99.',
);

const LOOKUPS = paragraph(
  '`lookupWallet` for random wallets, beside the same named statement through `pg` alone, which returns the row as the',
  'driver reads it. Both have a pool of ten connections; milliseconds are p50 / p99.',
);
