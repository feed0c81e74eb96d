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
} as const satisfies ErrorDescriptions;
