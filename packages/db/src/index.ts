export { routeAccount } from './accounts.ts';
export type { AccountRoute } from './accounts.ts';
export { storeCallback } from './callbacks.ts';
export type { CallbackKind, StoredCallback } from './callbacks.ts';
export { createDb, ping } from './db.ts';
export type { Db, DbOptions, Handle } from './db.ts';
export type {
  Currency,
  Deposit,
  DepositCallback,
  DepositResult,
  Payer,
  RecordedDeposit,
  SuspenseReason,
} from './deposit.ts';
export { createDepositIntake } from './deposit-intake.ts';
export type { DepositIntake, DepositIntakeOptions } from './deposit-intake.ts';
export { findDeposit } from './deposit-view.ts';
export type { CallbackView, DepositView } from './deposit-view.ts';
export { recordDeposit, recordDeposits } from './deposits.ts';
export { DaftariError, isDaftariError } from './errors.ts';
export type { ErrorCode } from './errors.ts';
export { transaction } from './transaction.ts';
export type { TransactionOptions } from './transaction.ts';
export { verificationHash } from './verification-hash.ts';
export type { HashInput } from './verification-hash.ts';
export { hasCheckDigit, newWalletNumber } from './wallet-number.ts';
export { lookupWallet, openWallet } from './wallets.ts';
export type { NewWallet, Wallet, WalletStatus } from './wallets.ts';
