/**
 * Sends what M-PESA sends, C2B validations and confirmations in all the forms in which they really come; and answers
 * what Africa's Talking answers to clients that send an SMS.
 */
export { behaviourByChance, behaviourByNumber } from './africas-talking/behaviour.ts';
export type { Behaviour, ReceivedMessage, ReportPlan } from './africas-talking/behaviour.ts';
export type { BookSummary } from './africas-talking/book.ts';
export { startAfricasTalking } from './africas-talking/server.ts';
export type { AfricasTalkingSimulator } from './africas-talking/server.ts';
export { smsSettings } from './africas-talking/sms-settings.ts';
export { C2B_SHAPES, confirmationOf, validationOf } from './c2b-message.ts';
export type { C2bMessage, C2bShape } from './c2b-message.ts';
export type { BookedEvent, BookedPayment } from './daraja/book.ts';
export { shillingsOf } from './daraja/cents.ts';
export { darajaSettings } from './daraja/daraja-settings.ts';
export type { Fault } from './daraja/faults.ts';
export { OUTCOMES } from './daraja/outcomes.ts';
export type { OutcomeName } from './daraja/outcomes.ts';
export type { Prompt } from './daraja/prompts.ts';
export { REFUSALS } from './daraja/refusals.ts';
export type { RefusalName } from './daraja/refusals.ts';
export { startDaraja } from './daraja/server.ts';
export type { DarajaSimulator } from './daraja/server.ts';
export type { DarajaOptions, Nuisances, StkBehaviour } from './daraja/settings.ts';
export type { StatementStyle } from './daraja/statement.ts';
export type { StkRequest } from './daraja/stk-request.ts';
export { createPhone } from './phone/phone.ts';
export type { Said, Watch } from './phone/state.ts';
export { createPayment } from './payment.ts';
export type { Payment } from './payment.ts';
export { createRandom } from './random.ts';
export type { Random } from './random.ts';
export { receiptFor } from './receipt.ts';
export { sendConfirmation, sendRaw, sendStorm, sendTogether, sendValidation } from './send.ts';
export type { Answer } from './send.ts';
export { RemoteTargetError, openTarget } from './target.ts';
export type { Target, TargetOptions } from './target.ts';
