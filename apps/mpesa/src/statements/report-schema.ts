import { RECONCILIATION_STATES } from '@repo/db';
import { z } from 'zod';

const amount = z.string().describe('KES, two decimals');
const moment = z.iso.datetime();

const total = z
  .object({
    lines: z.int().describe('lines, or movements that no line explains; a line and its movement are one'),
    amount: amount.describe('KES, the sum of their amounts without signs'),
  })
  .meta({ id: 'StateTotal' });

const statementControl = z
  .object({
    sha256: z.string(),
    form: z.string(),
    account: z.string().nullable(),
    from: moment.nullable(),
    to: moment.nullable(),
    opening: amount.nullable().describe('as stated, or as the balances of the rows say'),
    paidIn: amount,
    withdrawn: amount,
    closing: amount.nullable(),
    difference: amount.nullable().describe('opening + paidIn - withdrawn - closing'),
    statedPaidIn: amount.nullable(),
    statedWithdrawn: amount.nullable(),
    balanceBreaks: z.int().describe('rows whose balance does not follow from that of the row beside them'),
    firstBreak: z.int().nullable().describe('the row of the first of them'),
  })
  .meta({ id: 'StatementControl' });

const controls = z
  .object({
    statements: z.array(statementControl),
    statement: z.object({ paidIn: amount, withdrawn: amount, net: amount }),
    ledger: z.object({ net: amount }),
    difference: amount.describe('statement.net - ledger.net'),
    itemised: z.record(z.string(), amount).describe('what each state contributes to the difference'),
    period: z
      .object({
        opening: amount.nullable().describe('by the balances of the lines'),
        paidIn: amount,
        withdrawn: amount,
        closing: amount.nullable(),
        difference: amount.nullable().describe('opening + paidIn - withdrawn - closing'),
        breaks: z.int().describe('how often the balance jumps from line to line'),
        unknown: z.int().describe('lines that do not say their balance'),
        callbackDifference: amount.describe('balances of lines less those of their callbacks'),
        float: amount.describe('what M-PESA should hold for the short code, by our ledger'),
        floatDifference: amount.nullable().describe('closing - float'),
      })
      .describe('the totals that must agree before the period can be closed'),
    float: z
      .object({ at: moment, balance: amount })
      .describe('what M-PESA should hold by our ledger, over all short codes'),
    callbacks: z
      .object({ compared: z.int(), different: z.int() })
      .describe('`OrgAccountBalance` of callbacks against the balances of their lines'),
    late: z
      .array(z.object({ reference: z.string(), amount, period: z.uuid() }))
      .describe('movements that came too late for a closed period, and were posted in this one'),
    uncovered: z
      .array(z.object({ from: moment, to: moment }))
      .describe('parts of the period that no statement covers'),
  })
  .meta({ id: 'ReconciliationControls' });

const item = z
  .object({
    state: z.enum(RECONCILIATION_STATES),
    side: z.enum(['statement', 'ledger']),
    reference: z.string().describe('the M-PESA receipt, or the reference of a movement without one'),
    kind: z.string(),
    amount,
    ledgerAmount: amount.nullable(),
    at: moment,
    reason: z.string().nullable(),
    suggestion: z.object({ reference: z.string(), because: z.string() }).nullable(),
  })
  .meta({ id: 'ReconciliationBreak' });

/** A report as it is answered: the fields stand in the order in which it is kept. */
export const reportSchema = z
  .object({
    id: z.uuid().describe('from the contents of the report'),
    shortCode: z.string(),
    from: moment.describe('the first moment of the period'),
    to: moment.describe('the first moment after it'),
    totals: z.object({
      matched: total,
      missing_here: total,
      missing_there: total,
      amount_differs: total,
      reversed: total,
      charge: total,
      sweep: total,
      not_completed: total,
      unexplained: total,
    }),
    controls,
    breaks: z.array(item).describe('what is open, oldest first'),
    inputs: z.array(z.string()).describe('SHA-256 of the files that cover a part of the period'),
  })
  .meta({ id: 'Reconciliation' });

export type Report = z.output<typeof reportSchema>;
