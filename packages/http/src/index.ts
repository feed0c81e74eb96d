/** What the wallet, M-PESA and SMS services share: a server, its errors, auth, health, metrics, start and stop. */
export { actorOf, callerOf, createKeyGuard, fullAccessKey } from './callers/api-key.ts';
export type { ApiKey, Caller, FindKey, KeyGuard } from './callers/api-key.ts';
export { findDamage, notStored } from './bodies/callback-faults.ts';
export { addCallbackScope } from './bodies/callback-scope.ts';
export type { CallbackScopeOptions } from './bodies/callback-scope.ts';
export { csvAnswer, jsonOrCsv, prefersCsv } from './answers/csv.ts';
export type { CsvList } from './answers/csv.ts';
export { XLSX_TYPE, xlsxAnswer } from './answers/xlsx.ts';
export { DeadlineError, within } from './running/deadline.ts';
export {
  EnvironmentError,
  exitOnWrongSettings,
  isProduction,
  loadEnvironment,
  parseEnvironment,
} from './env.ts';
export { exchange } from './outgoing/exchange.ts';
export type { Exchange, ExchangeOptions, ExchangeRequest, HttpAnswer } from './outgoing/exchange.ts';
export { validationFindings } from './problems/errors.ts';
export type { HttpServer } from './http-server.ts';
export {
  idempotencyHeaders,
  optionalIdempotencyHeaders,
  requireIdempotencyKey,
} from './callers/idempotency-key.ts';
export { jsonMembers } from './bodies/json-members.ts';
export type { JsonMember } from './bodies/json-members.ts';
export { createKeyCache } from './callers/key-cache.ts';
export type { KeyCache, KeyCacheOptions } from './callers/key-cache.ts';
export { lowerCase, wordParameter } from './answers/letter-case.ts';
export { negotiate } from './answers/negotiation.ts';
export { cursorParameter, nextCursor, pageSchema } from './answers/page.ts';
export { isNetwork } from './callers/networks.ts';
export { HttpProblem, httpProblem, problemResponse } from './problems/problem.ts';
export type {
  ProblemBody,
  ProblemCode,
  ProblemFacts,
  ProblemFinding,
  ProblemKind,
} from './problems/problem.ts';
export { rawBodyOf } from './bodies/raw-body.ts';
export type { RawBody } from './bodies/raw-body.ts';
export { startRepeating } from './running/repeating.ts';
export type { Repeating } from './running/repeating.ts';
export { createServer } from './server.ts';
export type { Server, ServerOptions } from './server.ts';
export {
  apiKeySetting,
  callbackTokenSetting,
  databaseOptions,
  lanesSetting,
  listSetting,
  portSetting,
  replicaOptions,
  SERVICE_SETTINGS,
  trustProxySetting,
  wholeNumber,
} from './service-settings.ts';
export { followReads } from './running/reads.ts';
export { runService } from './running/run-service.ts';
export { stopServer } from './running/shutdown.ts';
