import { DEPOSIT_ERRORS } from './deposits.ts';
import { LEDGER_ERRORS } from './ledger.ts';
import { REQUEST_ERRORS } from './requests.ts';
import { SERVICE_ERRORS } from './service.ts';
import { SMS_ERRORS } from './sms.ts';
import { STATEMENT_ERRORS } from './statements.ts';
import { WALLET_ERRORS } from './wallets.ts';
import { WEBHOOK_ERRORS } from './webhooks.ts';

/** Every error that this package throws on purpose, by its subject and its code. */
export const ERROR_SUBJECTS = {
  service: SERVICE_ERRORS,
  requests: REQUEST_ERRORS,
  wallets: WALLET_ERRORS,
  ledger: LEDGER_ERRORS,
  deposits: DEPOSIT_ERRORS,
  sms: SMS_ERRORS,
  statements: STATEMENT_ERRORS,
  webhooks: WEBHOOK_ERRORS,
};

/** The same by code alone. */
export const ERROR_CATALOGUE = {
  ...SERVICE_ERRORS,
  ...REQUEST_ERRORS,
  ...WALLET_ERRORS,
  ...LEDGER_ERRORS,
  ...DEPOSIT_ERRORS,
  ...SMS_ERRORS,
  ...STATEMENT_ERRORS,
  ...WEBHOOK_ERRORS,
};

export type ErrorCode = keyof typeof ERROR_CATALOGUE;
