export { ConnectionWays, connectTo, openClient } from './connection-ways.ts';
export { DatabaseUrlError } from './database-url-error.ts';
export type { DatabaseUrlFault } from './database-url-error.ts';
export { parseDatabaseUrl } from './parse-database-url.ts';
export type { DatabaseTarget } from './parse-database-url.ts';
export type { TlsMode } from './tls-mode.ts';
