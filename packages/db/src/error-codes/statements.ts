import type { ErrorDescriptions } from './kinds.ts';

/** Statements of M-PESA, and their reconciliation. */
export const STATEMENT_ERRORS = {
  invalid_statement: {
    kind: 'refused',
    title: 'The file cannot be imported as a statement.',
    advice: 'The file cannot be read as a statement. Nothing was imported.',
  },
  invalid_rows: {
    kind: 'refused',
    title: 'Rows of the statement cannot be used.',
    advice:
      'Rows of the statement cannot be used. Nothing was imported; correct them, or import the others with skipBadRows.',
  },
  short_code_needed: {
    kind: 'refused',
    title: 'The file does not say whose statement it is.',
    advice: 'The file names no short code. Say which paybill or till it is of. Nothing was imported.',
  },
  short_code_differs: {
    kind: 'refused',
    title: 'The file is of another short code.',
    advice: 'The file names another short code than the request. Nothing was imported.',
  },
  unknown_reconciliation: {
    kind: 'refused',
    status: 404,
    title: 'There is no such reconciliation.',
    advice: 'There is no reconciliation with this id.',
  },
  unknown_period: {
    kind: 'refused',
    status: 404,
    title: 'There is no such period.',
    advice: 'There is no period with this id.',
  },
  period_closed: {
    kind: 'refused',
    status: 409,
    title: 'The books of this period are closed.',
    advice: 'The books of this period are closed, and nothing was changed. Reopen it first, and say why.',
  },
  period_not_closed: {
    kind: 'refused',
    status: 409,
    title: 'The period is not closed.',
    advice: 'The period is not closed, so there is nothing to reopen.',
  },
  later_period_closed: {
    kind: 'refused',
    status: 409,
    title: 'A later period is closed.',
    advice: 'A later period of this short code is closed on top of it. Reopen that one first.',
  },
  periods_out_of_order: {
    kind: 'refused',
    title: 'Periods are closed in order.',
    advice: 'A period begins where the one before it ended. Close the days between them first.',
  },
  period_in_future: {
    kind: 'refused',
    title: 'The period has not ended.',
    advice: 'A period can be closed when it has ended.',
  },
  period_not_agreed: {
    kind: 'refused',
    status: 409,
    title: 'The totals of the period do not agree.',
    advice: 'The totals of the period do not agree. Correct what is wrong, or itemise each difference.',
  },
  unknown_break: {
    kind: 'refused',
    status: 404,
    title: 'There is no such break.',
    advice: 'There is no break with this id.',
  },
  invalid_sheet: {
    kind: 'refused',
    title: 'The file cannot be read as a sheet of breaks.',
    advice: 'The file cannot be read as a sheet of breaks. Nothing was changed.',
  },
  sheet_refused: {
    kind: 'refused',
    status: 409,
    title: 'Rows of the sheet cannot be applied.',
    advice: 'Rows of the sheet cannot be applied. Nothing was changed. Take a new sheet, or skip these rows.',
  },
} as const satisfies ErrorDescriptions;
