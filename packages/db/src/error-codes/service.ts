import type { ErrorDescriptions } from './kinds.ts';

/** Troubles of the process, its queues and its database. */
export const SERVICE_ERRORS = {
  database_unavailable: {
    kind: 'busy',
    advice:
      'The database cannot be reached; check DATABASE_URL, and that the server is up and has room. Nothing was recorded.',
  },
  database_not_primary: {
    kind: 'busy',
    advice:
      'The server that DATABASE_URL leads to is a standby or takes no writes, so it decides over no money; name the primary, or all servers with target_session_attrs=read-write. Nothing was recorded.',
  },
  database_not_durable: {
    kind: 'busy',
    advice:
      'The server would lose acknowledged payments with the power: fsync, full_page_writes or synchronous_commit are lowered. Nothing was recorded.',
  },
  pool_exhausted: {
    kind: 'busy',
    isOverload: true,
    advice:
      'All database connections are in use, and as many callers wait for one as may; raise maxConnections, or find what holds them open. Nothing was recorded.',
  },
  database_busy: {
    kind: 'busy',
    advice:
      'The database could not finish this among concurrent work, after several tries; try again. Nothing was recorded.',
  },
  transaction_timeout: {
    kind: 'busy',
    advice:
      'The transaction took longer than timeoutMs and was rolled back; do less in it, or raise timeoutMs. Nothing was recorded.',
  },
  schema_outdated: {
    kind: 'busy',
    advice: 'The database lacks a function, table or column of this release; run db:deploy.',
  },
  schema_newer: {
    kind: 'busy',
    advice: 'The database has a migration that this release does not know; run the release that has it.',
  },
  queue_full: {
    kind: 'busy',
    isOverload: true,
    advice: 'The queue is full. Slow down and retry. Nothing was recorded.',
  },
  intake_closed: {
    kind: 'busy',
    advice: 'The queue is closed because the process ends. Nothing was recorded.',
  },
  outcome_unknown: {
    kind: 'doubtful',
    advice:
      'The connection was lost while the answer was awaited; the work may or may not be done. Repeat it with the same reference: it is done once.',
  },
  transaction_lost: {
    kind: 'bug',
    advice:
      'The database rolled the transaction back at COMMIT because an earlier statement in it had failed; do not catch errors inside a transaction.',
  },
  client_outdated: {
    kind: 'bug',
    advice:
      "Prisma's client was generated from other models than prisma/schema has now; run `npm run generate`.",
  },
  append_only: {
    kind: 'bug',
    advice: 'This table is append-only; correct a mistake with a reversal.',
  },
  around_the_door: {
    kind: 'bug',
    advice:
      'What decides over money, identity or what is sent changes only through the functions of this package.',
  },
  deposit_failed: {
    kind: 'bug',
    advice: 'The database refused this deposit; the cause says how. Nothing was recorded.',
  },
  request_failed: {
    kind: 'bug',
    advice: 'The database refused this request; the cause says how. Nothing was recorded.',
  },
  pooler_cannot_listen: {
    kind: 'bug',
    advice: 'Notifications do not pass a pooler in transaction mode; listen on a direct connection, or poll.',
  },
  database_error: {
    kind: 'bug',
    advice: 'The database refused the statement; the cause says how.',
  },
} as const satisfies ErrorDescriptions;
