import { LEDGER_BEGAN, LEGS } from './audit-check.ts';
import type { AuditCheck } from './audit-check.ts';

const AROUND_THE_DOOR =
  'Somebody changed rows past the guards. Find out who (server log, roles with superuser rights), stop writes, and ' +
  'compare with the last good backup before you correct anything.';

/** Whether wallets and transactions agree with each other. */
export const LEDGER_CHECKS: readonly AuditCheck[] = [
  {
    name: 'sum',
    about: 'the balances of each currency add up to zero',
    advice: AROUND_THE_DOOR,
    sql: `
      SELECT w.currency::text AS subject, 'the balances in ' || w.currency || ' add up to ' || sum(w.balance) AS what
        FROM core.wallets w
       GROUP BY w.currency
      HAVING sum(w.balance) <> 0`,
  },
  {
    name: 'balances',
    about: 'each balance and version is what the postings of the wallet make',
    advice: AROUND_THE_DOOR,
    sql: `
      SELECT coalesce(w.id, l.wallet)::text AS subject,
             CASE
                 WHEN w.id IS NULL THEN 'wallet ' || l.wallet || ' does not exist and has ' || l.postings || ' postings'
                 WHEN w.balance <> coalesce(l.moved, 0)
                     THEN 'wallet ' || w.id || ' has ' || w.balance || ' and its postings make ' || coalesce(l.moved, 0.00)
                 ELSE 'wallet ' || w.id || ' has version ' || w.version || ' and ' || coalesce(l.postings, 0) || ' postings'
             END AS what
        FROM core.wallets w
        FULL JOIN (SELECT g.wallet, sum(g.change) AS moved, count(*) AS postings FROM ${LEGS} g GROUP BY g.wallet) l
             ON l.wallet = w.id
       WHERE w.id IS NULL OR w.balance <> coalesce(l.moved, 0) OR w.version <> coalesce(l.postings, 0)`,
  },
  {
    name: 'order',
    about:
      'the postings of each wallet have every version once, their balances follow, and no time goes back',
    advice:
      `${AROUND_THE_DOOR} A time that goes back alone comes from a clock that was set back: the money is right, and ` +
      'statements of that period show the postings in the wrong day.',
    sql: `
      SELECT o.reference::text AS subject,
             'transaction ' || o.reference || ' is posting ' || o.version || ' of wallet ' || o.wallet || ' ' ||
             CASE
                 WHEN o.version <> o.last_version + 1 THEN 'and follows ' || o.last_version
                 WHEN o.after <> o.last_after + o.change
                     THEN 'with ' || o.after || ' after it, and ' || o.last_after || ' before it and its amount make '
                          || o.last_after + o.change
                 ELSE 'and is earlier than the posting before it'
             END AS what
        FROM (
          SELECT g.reference, g.wallet, g.version, g.change, g.after, g.created_at,
                 lag(g.version, 1, 0::bigint) OVER w AS last_version, lag(g.after, 1, 0.00) OVER w AS last_after,
                 lag(g.created_at) OVER w AS last_created_at
            FROM ${LEGS} g
          WINDOW w AS (PARTITION BY g.wallet ORDER BY g.version)
        ) o
       WHERE o.version <> o.last_version + 1 OR o.after <> o.last_after + o.change
          OR o.created_at < o.last_created_at`,
  },
  {
    name: 'currencies',
    about: 'each transaction has the currency of both its wallets',
    advice: AROUND_THE_DOOR,
    sql: `
      SELECT t.reference::text AS subject,
             'transaction ' || t.reference || ' is in ' || t.currency || ' between wallets in ' || d.currency || ' and '
             || c.currency AS what
        FROM core.transactions t
        JOIN core.wallets d ON d.id = t.debit_wallet_id
        JOIN core.wallets c ON c.id = t.credit_wallet_id
       WHERE t.currency <> d.currency OR t.currency <> c.currency`,
  },
  {
    name: 'funds',
    about: 'no wallet is below the lowest balance that it may have',
    advice: AROUND_THE_DOOR,
    sql: `
      SELECT w.id::text AS subject,
             'wallet ' || w.id || ' has ' || w.balance || ', of it ' || w.held || ' held, and may not go below '
             || w.min_balance AS what
        FROM core.wallets w
       WHERE w.balance - w.held < w.min_balance`,
  },
  {
    name: 'holds',
    about: 'what each wallet holds is what its active holds reserve',
    advice:
      'Money is reserved that no hold can release, or a hold reserves nothing. Compare core.holds of the wallet with ' +
      'the requests of its callers, then correct held with somebody who may change the ledger.',
    sql: `
      SELECT w.id::text AS subject,
             'wallet ' || w.id || ' holds ' || w.held || ' and its active holds reserve ' || coalesce(h.reserved, 0.00)
                 AS what
        FROM core.wallets w
        LEFT JOIN (
          SELECT a.wallet_id, sum(a.amount + coalesce(a.fee_held, 0)) AS reserved
            FROM core.holds a
           WHERE a.status = 'ACTIVE'
           GROUP BY a.wallet_id
        ) h ON h.wallet_id = w.id
       WHERE w.held <> coalesce(h.reserved, 0)`,
  },
  {
    name: 'hashes',
    about: 'each transaction has the verification hash of its reference, amount and time',
    advice:
      `${AROUND_THE_DOOR} The receipt that the customer has shows what was posted. (db:backfill is for rows from ` +
      'before this ledger only, which are not counted here while they have no hash.)',
    sql: `
      SELECT t.reference::text AS subject,
             'transaction ' || t.reference || CASE
                 WHEN t.verification_hash IS NULL THEN ' has no verification hash'
                 ELSE ' has the verification hash of other facts'
             END AS what
        FROM core.transactions t
       WHERE t.verification_hash <> core.verification_hash(t.reference, t.amount, t.created_at)
          OR t.verification_hash IS NULL AND t.created_at >= ${LEDGER_BEGAN}`,
  },
];
