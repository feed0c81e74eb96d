/** What the wallet, M-PESA and SMS services share: a server, its errors, auth, health, metrics, start and stop. */
export { actorOf, callerOf, createKeyGuard, fullAccessKey } from './api-key.ts';
export type { ApiKey, Caller, FindKey, KeyGuard } from './api-key.ts';
export { addCallbackScope } from './callback-scope.ts';
export { csvAnswer, jsonOrCsv, prefersCsv } from './csv.ts';
export type { CsvList } from './csv.ts';
export { DeadlineError, within } from './deadline.ts';
export { EnvironmentError, isProduction, loadEnvironment, parseEnvironment } from './env.ts';
export { validationFindings } from './errors.ts';
export type { ErrorMapper } from './errors.ts';
export type { HttpServer } from './http-server.ts';
export { idempotencyHeaders, optionalIdempotencyHeaders, requireIdempotencyKey } from './idempotency-key.ts';
export { jsonMembers } from './json-members.ts';
export type { JsonMember } from './json-members.ts';
export { createKeyCache } from './key-cache.ts';
export type { KeyCache, KeyCacheOptions } from './key-cache.ts';
export { lowerCase, wordParameter } from './letter-case.ts';
export { negotiate } from './negotiation.ts';
export { cursorParameter, nextCursor, pageSchema } from './page.ts';
export { isNetwork } from './networks.ts';
export { HttpProblem, httpProblem, problemResponse } from './problem.ts';
export type { ProblemBody, ProblemCode, ProblemFacts, ProblemFinding, ProblemKind } from './problem.ts';
export { rawBodyOf } from './raw-body.ts';
export type { RawBody } from './raw-body.ts';
export { startRepeating } from './repeating.ts';
export type { Repeating } from './repeating.ts';
export { createServer } from './server.ts';
export type { Server, ServerOptions } from './server.ts';
export {
  apiKeySetting,
  callbackTokenSetting,
  listSetting,
  portSetting,
  serviceSettings,
  trustProxySetting,
  wholeNumber,
} from './service-settings.ts';
export { closeGracefully, stopServer } from './shutdown.ts';
