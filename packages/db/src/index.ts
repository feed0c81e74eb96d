export { routeAccount } from './accounts.ts';
export type { AccountRoute } from './accounts.ts';
export { auditLedger } from './audit/audit-ledger.ts';
export type { AuditFinding, AuditOptions, AuditedCheck, LedgerAudit } from './audit/audit-ledger.ts';
export { findCallback, listCallbacks } from './callback-list.ts';
export type {
  CallbackDetail,
  CallbackItem,
  CallbackListRequest,
  CallbackOutcome,
  CallbackPage,
} from './callback-list.ts';
export { storeCallback } from './callbacks.ts';
export type { CallbackKind, StoredCallback } from './callbacks.ts';
export { DatabaseUrlError } from '@repo/database-url';
export { createDb, ping } from './db.ts';
export type { Db, DbOptions, Handle } from './db.ts';
export type {
  Currency,
  Deposit,
  DepositCallback,
  DepositOptions,
  DepositResult,
  Payer,
  RecordedDeposit,
  SuspenseReason,
} from './deposit.ts';
export { releaseDeposit, resolveCallback } from './deposit-decisions.ts';
export type { CallbackResolution, Decided, DepositRelease } from './deposit-decisions.ts';
export { createDepositIntake } from './deposit-intake.ts';
export type { DepositIntake, DepositIntakeOptions } from './deposit-intake.ts';
export { listDeposits } from './deposit-list.ts';
export type { DepositItem, DepositListRequest, DepositPage } from './deposit-list.ts';
export { findDeposit } from './deposit-view.ts';
export type { CallbackView, DecisionView, DepositOutcome, DepositView } from './deposit-view.ts';
export type { Suggestion, SuggestionReason } from './suggestions.ts';
export { recordDeposit, recordDeposits } from './deposits.ts';
export { AmountError, DaftariError, isDaftariError } from './errors.ts';
export type { AmountFault, ErrorCode } from './errors.ts';
export { transaction } from './transaction.ts';
export type { TransactionOptions } from './transaction.ts';
export { verificationHash } from './verification-hash.ts';
export type { HashInput } from './verification-hash.ts';
export { hasCheckDigit, newWalletNumber } from './wallet-number.ts';
export { createSchemaCheck } from './schema-check.ts';
export { findWallets, lookupWallet, openWallet } from './wallets.ts';
export type { NewWallet, OpenedWallet, Wallet, WalletLanguage, WalletStatus } from './wallets.ts';
export { setWalletFloor, updateWallet } from './wallet-changes.ts';
export type { ChangeNote, FloorChange, WalletUpdate } from './wallet-changes.ts';
export { createApiKey, findApiKey, revokeApiKey } from './api-keys.ts';
export type { ApiKey, CreatedApiKey, NewApiKey, Scope } from './api-keys.ts';
export type { GroupCommitOptions } from './group-commit.ts';
export { quoteFee } from './fee-quotes.ts';
export type { FeeQuote, FeeQuoteRequest } from './fee-quotes.ts';
export { listFeeRules } from './fee-rule-list.ts';
export type { FeeRuleEvent, FeeRuleListRequest, FeeRuleView } from './fee-rule-list.ts';
export { endFeeRule, setFeeRule } from './fee-rules.ts';
export type { FeePayer, FeeRule, FeeRuleEnd, FeeType, NewFeeRule } from './fee-rules.ts';
export { expireHolds } from './hold-expiry.ts';
export type { ExpiredHolds, FailedExpiry } from './hold-expiry.ts';
export { captureHold, findHold, hold, releaseHold } from './holds.ts';
export type { Capture, CaptureRequest, Hold, HoldRequest, HoldStatus, HoldView } from './holds.ts';
export { createLedgerIntake } from './ledger-intake.ts';
export type { LedgerIntake } from './ledger-intake.ts';
export type { Posted, TransactionType } from './posted.ts';
export { reverseTransaction } from './reversals.ts';
export type { Reversal, ReversalRequest } from './reversals.ts';
export { assignSuspense } from './suspense.ts';
export type { AssignmentRequest } from './suspense.ts';
export { listSuspense } from './suspense-list.ts';
export type { SuspensePage, SuspensePayment, SuspenseRequest } from './suspense-list.ts';
export { findTransaction, findVerificationHash } from './transactions.ts';
export type { Party, TransactionView } from './transactions.ts';
export { createTransferIntake, transfer, transfers } from './transfers.ts';
export type { Transfer, TransferIntake, TransferResult } from './transfers.ts';
export { balanceAt, walletStatement } from './wallet-statement.ts';
export type { StatementLine, StatementRequest, WalletStatement } from './wallet-statement.ts';
export { closeWallet, freezeWallet, unfreezeWallet } from './wallet-status.ts';
export type { StatusChange } from './wallet-status.ts';
export { backfillHashes, countUnhashed } from './hash-backfill.ts';
export { recordDeliveryReport } from './delivery-reports.ts';
export type { DeliveryOutcome, DeliveryReport, RecordedReport } from './delivery-reports.ts';
export { findSms, smsHistory } from './sms.ts';
export type { Sms, SmsEvent, SmsLanguage, SmsPhase, SmsPriority, SmsStatus } from './sms.ts';
export { claimSms, expireSmsLeases } from './sms-claims.ts';
export type { ClaimedSms, SmsBudget, SmsClaim, SmsClaimRequest } from './sms-claims.ts';
export { smsCostCsv } from './sms-cost-csv.ts';
export { costPeriod } from './sms-cost-period.ts';
export type { Period } from './sms-cost-period.ts';
export { smsCostReport, smsSpend } from './sms-costs.ts';
export type { SmsCostKey, SmsCostReport, SmsCostRow, SmsSpend } from './sms-costs.ts';
export { listenForSms } from './sms-listener.ts';
export type { SmsListener } from './sms-listener.ts';
export { recordOptOut } from './sms-opt-outs.ts';
export { smsAttemptsOf, smsOutbox } from './sms-outbox.ts';
export type { SmsAttempt, SmsOutbox } from './sms-outbox.ts';
export { queueSms, wakeSmsSenders } from './sms-queue.ts';
export type { NewSms, QueuedSms } from './sms-queue.ts';
export { findSmsTemplate, listSmsTemplates, previewSmsTemplate, setSmsTemplate } from './sms-templates.ts';
export type { SmsTemplate, SmsTemplateChange } from './sms-templates.ts';
export { settleSms } from './sms-settlements.ts';
export { createSmsSettler } from './sms-settler.ts';
export type { SmsSettler } from './sms-settler.ts';
export type { SettledSms, SmsOutcome, SmsSettlement } from './sms-settlements.ts';
export { decideSms, listUnknownSms } from './unknown-sms.ts';
export type { ReportSuggestion, SmsDecision, SmsDecisionRequest, UnknownSms } from './unknown-sms.ts';
export { findWalletsByName } from './wallets-by-name.ts';
export { listSms } from './sms-list.ts';
export type { SmsListRequest, SmsPage } from './sms-list.ts';
