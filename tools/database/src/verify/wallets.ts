import type { Client } from 'pg';
import type { Check, Finding } from './finding.ts';

interface WalletRow extends Pick<Finding, 'severity'> {
  readonly what: string;
  readonly remedy: string;
  /** How many wallets are like this one. */
  readonly count: string;
}

/**
 * The outside world, as the migrations make it: wallet and floor. Without a floor the float can pay in any amount. No
 * function of ours is called here: one that is gone must not hide what is wrong besides.
 */
const SYSTEM_WALLETS = `(
  SELECT a.id || CASE WHEN l.lane = 0 THEN '' ELSE '.' || l.lane END AS id, a.floor
    FROM (VALUES ('MPESA-FLOAT', NULL::numeric), ('SUSPENSE', 0), ('FEES', 0)) AS a (id, floor)
   CROSS JOIN generate_series(0, 15) AS l (lane)
  UNION ALL
  VALUES ('BANK', NULL::numeric), ('CHARGES', NULL), ('RECEIVABLES', NULL)
) AS s`;

/** The lane that a customer's wallet must have, as core.lane_of has it. */
const LANE = `(get_byte(sha256(convert_to(w.id, 'UTF8')), 0) & 15)`;

/** The floor that was last granted to a wallet by the function for it. */
const grantedOf = (join: string) => `
  SELECT to_jsonb(e) ->> 'new_value'
    FROM core.wallet_events e
   WHERE e.wallet_id = w.id${join} AND to_jsonb(e) ->> 'changed' = 'min_balance'
   ORDER BY e.created_at DESC, e.id DESC
   LIMIT 1`;

const queriesOf = (join: string): readonly string[] => [
  `SELECT 'wrong' AS severity, 1 AS count,
          format('system wallet %s %s', s.id, CASE
              WHEN w.id IS NULL THEN 'is missing: nothing can be posted'
              WHEN w.kind <> 'SYSTEM' THEN 'is a customer''s'
              WHEN w.status <> 'ACTIVE' THEN 'is ' || w.status || ': nothing can be posted'
              ELSE 'has the floor ' || coalesce(w.min_balance::text, 'none') || ', not ' || coalesce(s.floor::text, 'none')
          END) AS what,
          'No function changes a system wallet. Find out who did, and set it right as a superuser with triggers disabled.'
              AS remedy
     FROM ${SYSTEM_WALLETS}
     LEFT JOIN core.wallets w ON w.id = s.id
    WHERE w.id IS NULL OR w.kind <> 'SYSTEM' OR w.status <> 'ACTIVE' OR w.min_balance IS DISTINCT FROM s.floor`,
  `SELECT 'notice' AS severity, count(*) OVER () AS count,
          format('system wallet %s belongs to no migration of this release', w.id) AS what,
          'Find out what posts to it: customers cannot, and it is in no report of this release.' AS remedy
     FROM core.wallets w
    WHERE w.kind = 'SYSTEM' AND w.id NOT IN (SELECT s.id FROM ${SYSTEM_WALLETS})`,
  `SELECT 'wrong' AS severity, count(*) OVER () AS count,
          format('wallet %s is in lane %s, not %s: its deposits wait for those of other wallets', w.id, w.lane,
                 ${LANE}) AS what,
          'Find out who did it, and set the lane as a superuser with triggers disabled: no money depends on it.' AS remedy
     FROM core.wallets w
    WHERE w.kind = 'CUSTOMER' AND w.lane <> ${LANE}`,
  `SELECT 'wrong' AS severity, count(*) OVER () AS count,
          format('wallet %s has no floor: it can be overdrawn without limit', w.id) AS what,
          format('Find out who did it, then give it one: SELECT core.set_wallet_floor(%L, 0, ''why''), or setWalletFloor in '
                 '@repo/db.', w.id) AS remedy
     FROM core.wallets w
    WHERE w.kind = 'CUSTOMER' AND w.min_balance IS NULL`,
  `SELECT f.severity, count(*) OVER (PARTITION BY f.severity) AS count,
          format('wallet %s may be overdrawn down to %s%s', f.id, f.min_balance,
                 CASE f.severity WHEN 'wrong' THEN ', and no record says who granted that' END) AS what,
          CASE f.severity WHEN 'wrong' THEN 'Find out who did it, then call core.set_wallet_floor, or setWalletFloor in @repo/db.'
               ELSE 'Nothing to do: core.wallet_events says who granted it.' END AS remedy
     FROM (
       SELECT w.id, w.min_balance, CASE WHEN (${grantedOf(join)})::numeric = w.min_balance THEN 'notice' ELSE 'wrong' END AS severity
         FROM core.wallets w
        WHERE w.kind = 'CUSTOMER' AND w.min_balance < 0
     ) f`,
];

/** How many wallets of one kind are named. */
const NAMED = 3;

/**
 * Wallets in a state in which the ledger does not work, or works without a limit.
 *
 * @param isDistributed rows that belong together are found by their lane as well; on one machine old events have none
 */
export async function checkWallets(client: Client, { isDistributed = false } = {}): Promise<Check> {
  const findings: Finding[] = [];
  for (const query of queriesOf(isDistributed ? ' AND e.lane = w.lane' : '')) {
    const { rows } = await client.query<WalletRow>(
      `SELECT * FROM (${query}) AS f ORDER BY f.severity DESC, f.what COLLATE "C" LIMIT ${NAMED}`,
    );
    const more = Number(rows[0]?.count ?? 0) - NAMED;
    for (const [index, { severity, what, remedy }] of rows.entries()) {
      const isLast = index === NAMED - 1 && more > 0;
      findings.push({ severity, what: isLast ? `${what}; and ${more} more wallets` : what, remedy });
    }
  }
  return { name: 'wallets', summary: 'system wallets at work, every customer with a floor', findings };
}
