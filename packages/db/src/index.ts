export { routeAccount } from './deposits/route-account.ts';
export type { AccountRoute } from './deposits/route-account.ts';
export { auditLedger } from './audit/audit-ledger.ts';
export type { AuditFinding, AuditOptions, AuditedCheck, LedgerAudit } from './audit/audit-ledger.ts';
export { findCallback, listCallbacks } from './deposits/callback-list.ts';
export { listCallbackSources } from './deposits/callback-sources.ts';
export type { CallbackSource } from './deposits/callback-sources.ts';
export type {
  CallbackDetail,
  CallbackItem,
  CallbackListRequest,
  CallbackOutcome,
  CallbackPage,
} from './deposits/callback-list.ts';
export { storeCallback } from './deposits/inbox.ts';
export type { CallbackKind, StoredCallback } from './deposits/inbox.ts';
export { DatabaseUrlError } from '@repo/database-url';
export { createDb, ping } from './connection/db.ts';
export type { Db, DbOptions } from './connection/db.ts';
export type { Handle } from './connection/handle.ts';
export type {
  Currency,
  Deposit,
  DepositCallback,
  DepositOptions,
  DepositResult,
  Payer,
  RecordedDeposit,
  SuspenseReason,
} from './deposits/deposit.ts';
export { markRefund, releaseDeposit, replayCallback, resolveCallback } from './deposits/deposit-decisions.ts';
export type {
  CallbackReplay,
  CallbackResolution,
  Decided,
  DepositRelease,
  RefundMark,
  Replayed,
} from './deposits/deposit-decisions.ts';
export { createDepositIntake } from './deposits/deposit-intake.ts';
export type { DepositIntake, DepositIntakeOptions } from './deposits/deposit-intake.ts';
export { listDeposits } from './deposits/deposit-list.ts';
export type { DepositItem, DepositListRequest, DepositPage } from './deposits/deposit-list.ts';
export { findDeposit } from './deposits/find-deposit.ts';
export type {
  CallbackView,
  DecisionView,
  DepositOutcome,
  DepositView,
  WitnessView,
} from './deposits/find-deposit.ts';
export type { Suggestion, SuggestionReason } from './deposits/suggestions.ts';
export { recordDeposit, recordDeposits } from './deposits/record-deposits.ts';
export { AmountError, DaftariError, isDaftariError } from './errors.ts';
export type { AmountFault } from './errors.ts';
export { ERROR_CATALOGUE, ERROR_SUBJECTS } from './error-codes/catalogue.ts';
export type { ErrorCode } from './error-codes/catalogue.ts';
export { findPayment, findPaymentByCheckout, listPayments, paymentEvents } from './payments/find-payment.ts';
export type { PaymentListRequest, PaymentPage } from './payments/find-payment.ts';
export type { Payment, PaymentEvent, PaymentStatus } from './payments/payment.ts';
export { correctPayment } from './payments/correct-payment.ts';
export type { CorrectedPayment, PaymentCorrection } from './payments/correct-payment.ts';
export { requestPayment } from './payments/request-payment.ts';
export type { PaymentRequest, RequestedPayment } from './payments/request-payment.ts';
export {
  claimPayments,
  finishAssignment,
  notePaymentAnswer,
  notePaymentVerdict,
} from './payments/payment-answers.ts';
export type { PaymentAnswer, PaymentTask, PaymentVerdict } from './payments/payment-answers.ts';
export { reviewPayment } from './payments/review-payment.ts';
export type { PaymentReview, ReviewedPayment } from './payments/review-payment.ts';
export { createPaymentIntake, recordPayments } from './payments/payment-intake.ts';
export type { PaymentIntake, PaymentReceipt } from './payments/payment-intake.ts';
export { recordPaymentFailure, recordUnproven } from './payments/payment-reports.ts';
export type { PaymentFailure, UnprovenPayment } from './payments/payment-reports.ts';
export { claimInquiries, findInquiry, paymentOfInquiry, refuteInquiry } from './payments/inquiries.ts';
export type { Inquiry, InquiryFacts } from './payments/inquiries.ts';
export { claimDarajaToken, storeDarajaToken } from './payments/daraja-token.ts';
export type { DarajaTokenClaim, DarajaTokenRequest } from './payments/daraja-token.ts';
export { transaction } from './connection/transaction.ts';
export type { TransactionOptions } from './connection/transaction.ts';
export { verificationHash } from './ledger/verification-hash.ts';
export type { HashInput } from './ledger/verification-hash.ts';
export { hasCheckDigit, newWalletNumber } from './wallets/wallet-number.ts';
export { createReads } from './connection/reads.ts';
export type { Reads, ReadsState, ReplicaOptions } from './connection/reads.ts';
export { createSchemaCheck } from './connection/schema-check.ts';
export { findWallets, lookupWallet, openWallet } from './wallets/wallets.ts';
export type { NewWallet, OpenedWallet, Wallet, WalletLanguage, WalletStatus } from './wallets/wallets.ts';
export { setWalletFloor, updateWallet } from './wallets/wallet-changes.ts';
export type { ChangeNote, FloorChange, WalletUpdate } from './wallets/wallet-changes.ts';
export { createApiKey, findApiKey, revokeApiKey } from './api-keys.ts';
export type { ApiKey, CreatedApiKey, NewApiKey, Scope } from './api-keys.ts';
export type { GroupCommitOptions, LaneOptions } from './connection/group-commit.ts';
export { quoteFee } from './ledger/fee-quotes.ts';
export type { FeeQuote, FeeQuoteRequest } from './ledger/fee-quotes.ts';
export { listFeeRules } from './ledger/fee-rule-list.ts';
export type { FeeRuleEvent, FeeRuleListRequest, FeeRuleView } from './ledger/fee-rule-list.ts';
export { endFeeRule, setFeeRule } from './ledger/fee-rules.ts';
export type { FeePayer, FeeRule, FeeRuleEnd, FeeType, NewFeeRule } from './ledger/fee-rules.ts';
export { expireHolds } from './ledger/hold-expiry.ts';
export type { ExpiredHolds, FailedExpiry } from './ledger/hold-expiry.ts';
export { captureHold, findHold, hold, releaseHold } from './ledger/holds.ts';
export type { Capture, CaptureRequest, Hold, HoldRequest, HoldStatus, HoldView } from './ledger/holds.ts';
export { createLedgerIntake } from './ledger/operation-intake.ts';
export type { LedgerIntake } from './ledger/operation-intake.ts';
export type { Posted, TransactionType } from './ledger/posted.ts';
export { reverseTransaction } from './ledger/reversals.ts';
export type { Reversal, ReversalRequest } from './ledger/reversals.ts';
export { assignByPerson, assignSuspense } from './ledger/assign-suspense.ts';
export type { DecidedAssignment } from './ledger/assign-suspense.ts';
export type { AssignmentRequest } from './ledger/assign-suspense.ts';
export { listSuspense } from './deposits/suspense-list.ts';
export type { SuspensePage, SuspensePayment, SuspenseRequest } from './deposits/suspense-list.ts';
export { findTransaction, findVerificationHash } from './ledger/find-transaction.ts';
export type { Party, TransactionView } from './ledger/find-transaction.ts';
export { createTransferIntake, transfer, transfers } from './ledger/transfers.ts';
export type { Transfer, TransferIntake, TransferResult } from './ledger/transfers.ts';
export { walletStatement } from './wallets/wallet-statement.ts';
export type { StatementLine, StatementRequest, WalletStatement } from './wallets/wallet-statement.ts';
export { closeWallet, freezeWallet, unfreezeWallet } from './wallets/wallet-status.ts';
export type { StatusChange } from './wallets/wallet-status.ts';
export { backfillHashes, countUnhashed } from './ledger/hash-backfill.ts';
export { recordDeliveryReport } from './sms/delivery-reports.ts';
export type {
  DeliveryOutcome,
  DeliveryReport,
  DeliveryState,
  RecordedReport,
} from './sms/delivery-reports.ts';
export { findSms, smsHistory } from './sms/messages.ts';
export type { Sms, SmsEvent, SmsLanguage, SmsPhase, SmsPriority, SmsStatus } from './sms/messages.ts';
export { claimSms, expireSmsLeases } from './sms/claims.ts';
export type { ClaimedSms, SmsBudget, SmsClaim, SmsClaimRequest } from './sms/claims.ts';
export { smsCostCsv } from './sms/cost-csv.ts';
export { costPeriod } from './sms/cost-period.ts';
export type { Period } from './sms/cost-period.ts';
export { smsCostReport, smsSpend } from './sms/costs.ts';
export type { SmsCostKey, SmsCostReport, SmsCostRow, SmsSpend } from './sms/costs.ts';
export { listenForSms } from './sms/sms-listener.ts';
export type { SmsListener } from './sms/sms-listener.ts';
export { recordOptOut } from './sms/opt-outs.ts';
export { smsAttemptsOf, smsOutbox } from './sms/outbox.ts';
export type { SmsAttempt, SmsOutbox } from './sms/outbox.ts';
export { queueSms } from './sms/queue.ts';
export type { NewSms, QueuedSms } from './sms/queue.ts';
export { listSmsTemplates, previewSmsTemplate, setSmsTemplate } from './sms/templates.ts';
export type { SmsTemplate, SmsTemplateChange } from './sms/templates.ts';
export { createSmsSettler } from './sms/settler.ts';
export type { SmsSettler } from './sms/settler.ts';
export type { SettledSms, SmsOutcome, SmsSettlement } from './sms/settlements.ts';
export { decideSms, listUnknownSms } from './sms/unknown.ts';
export type { ReportSuggestion, SmsDecision, SmsDecisionRequest, UnknownSms } from './sms/unknown.ts';
export { findWalletsByName } from './wallets/wallets-by-name.ts';
export { listSms } from './sms/sms-list.ts';
export type { SmsListRequest, SmsPage } from './sms/sms-list.ts';
export { PERIOD_CONTROLS } from './statements/agreement.ts';
export type { PeriodControlName, PeriodItem } from './statements/agreement.ts';
export { changeBreaksBySheet } from './statements/break-sheet.ts';
export type { SheetChanges, SheetRequest } from './statements/break-sheet.ts';
export {
  BREAK_ACTIONS,
  BREAK_AGES,
  BREAK_REASONS,
  BREAK_STATUSES,
  breakHistory,
  changeBreaks,
  listBreaks,
} from './statements/breaks.ts';
export type {
  BreakAction,
  BreakAge,
  BreakChange,
  BreakChanges,
  BreakEvent,
  BreakFilter,
  BreakReason,
  BreakStatus,
  WorkedBreak,
} from './statements/breaks.ts';
export { findGaps, listGaps } from './gaps/list-gaps.ts';
export type { Gap, GapKind, GapListRequest, GapPage } from './gaps/list-gaps.ts';
export { findKnownPayments } from './gaps/known-payments.ts';
export type { KnownPayment } from './gaps/known-payments.ts';
export { checkPayerStatement } from './statements/evidence.ts';
export type { Evidence, EvidenceItem, EvidenceRequest } from './statements/evidence.ts';
export { importStatement } from './statements/import-statement.ts';
export type { StatementImport } from './statements/import-statement.ts';
export type { ImportedStatement } from './statements/imported-statement.ts';
export { PeriodError } from './statements/period-error.ts';
export { closePeriod, findPeriod, listPeriods, reopenPeriod } from './statements/periods.ts';
export type { ClosedPeriod, PeriodRequest } from './statements/periods.ts';
export { listReceivables } from './statements/receivables.ts';
export type { Receivable, Receivables } from './statements/receivables.ts';
export { findReconciliation, reconcile } from './statements/reconcile.ts';
export type { Reconciliation, ReconciliationRequest } from './statements/reconcile.ts';
export { RECONCILIATION_STATES } from './statements/reconciliation.ts';
export type {
  Break,
  Controls,
  ReconciliationReport,
  ReconciliationState,
} from './statements/reconciliation.ts';
export { SheetError } from './statements/sheet-error.ts';
export { SHEET_REFUSALS } from './statements/sheet-rows.ts';
export { StatementRowsError } from './statements/statement-error.ts';
export {
  claimWebhookDeliveries,
  finishWebhookDelivery,
  findDueWebhooks,
  measureWebhooks,
} from './webhooks/webhook-outbox.ts';
export type { ClaimedDelivery, DueWebhook, WebhookBacklog } from './webhooks/webhook-outbox.ts';
export { listWebhookDeliveries, resendWebhookDelivery } from './webhooks/webhook-deliveries.ts';
export type {
  WebhookDelivery,
  WebhookDeliveryPage,
  WebhookDeliveryRequest,
  WebhookDeliveryStatus,
} from './webhooks/webhook-deliveries.ts';
export { disableWebhook, listWebhooks, registerWebhook, WEBHOOK_EVENTS } from './webhooks/webhooks.ts';
export type { NewWebhook, Webhook, WebhookEventType } from './webhooks/webhooks.ts';
