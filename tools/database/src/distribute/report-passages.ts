import type { Passage } from './passage.ts';

/**
 * Passages of what a report of reconciliation shows: the states of lines and of movements, and the float. As in
 * `STATEMENT_PASSAGES`, each side is fetched as a set, and what joins them joins functions alone.
 */
export const REPORT_PASSAGES: readonly Passage[] = [
  // ---- The states of lines ----
  {
    of: 'services.mpesa_line_states',
    from: `
    WITH lines AS (
`,
    to: `
    WITH lines AS MATERIALIZED (
`,
  },
  {
    of: 'services.mpesa_line_states',
    from: `
          FROM services.mpesa_statement_lines l
         WHERE l.short_code = p_short_code AND l.completed_at >= p_from AND l.completed_at < p_to
    ), seen AS (
`,
    to: `
          FROM lanes.statement_lines(p_short_code => p_short_code, p_from => p_from, p_to => p_to) l
    ), paid AS MATERIALIZED (
        SELECT array_agg(l.receipt::text) AS receipts FROM lines l WHERE l.kind = 'payment'
    ), entries AS MATERIALIZED (
        SELECT t.id, t.reference, t.type, t.amount FROM lanes.entries_of((SELECT p.receipts FROM paid p)) t
    ), seen AS (
`,
  },
  {
    of: 'services.mpesa_line_states',
    from: `
               CASE WHEN t.id IS NOT NULL THEN services.deposit_amount(p_receipt => l.receipt, p_amount => t.amount) END AS due,
               EXISTS (
                   SELECT FROM services.mpesa_statement_lines r
                    WHERE l.kind = 'payment' AND r.short_code || '' = l.short_code AND r.kind = 'reversal' AND r.is_completed
                      AND r.linked_receipt = l.receipt AND r.withdrawn = l.paid_in
               ) AS is_taken_back,
               EXISTS (
                   SELECT FROM core.transactions o WHERE l.kind = 'reversal' AND o.reference = l.linked_receipt
               ) AS original_is_here,
               EXISTS (
                   SELECT FROM services.mpesa_statement_lines p
                    WHERE l.kind = 'reversal' AND p.receipt = l.linked_receipt AND p.short_code || '' = l.short_code
               ) AS original_is_shown
          FROM lines l
          LEFT JOIN services.mpesa_matches m ON m.line_id = l.id
          LEFT JOIN core.transactions t
            ON t.reference = l.receipt AND t.type = 'DEPOSIT' AND l.kind = 'payment' AND l.is_completed
          LEFT JOIN services.mpesa_matches other ON other.transaction_id = t.id AND other.line_id <> l.id
          LEFT JOIN services.mpesa_logs g ON g.mpesa_receipt = l.receipt AND l.kind = 'payment' AND l.is_completed
`,
    to: `
               CASE WHEN t.id IS NOT NULL THEN t.amount + coalesce(c.amount, 0) END AS due,
               l.kind = 'payment' AND (l.receipt::text, l.paid_in) IN (
                   SELECT r.linked_receipt::text, r.withdrawn
                     FROM lanes.lines_taking_back(p_short_code => p_short_code, p_receipts => (SELECT p.receipts FROM paid p)) r
               ) AS is_taken_back,
               l.kind = 'reversal' AND coalesce(l.linked_receipt::text IN (
                   SELECT o.reference
                     FROM lanes.entries_of(ARRAY(SELECT x.linked_receipt FROM lines x WHERE x.kind = 'reversal')) o
               ), false) AS original_is_here,
               l.kind = 'reversal' AND coalesce(l.linked_receipt::text IN (
                   SELECT p.receipt::text
                     FROM lanes.lines_of_receipts(
                         p_short_code => p_short_code,
                         p_receipts => ARRAY(SELECT x.linked_receipt FROM lines x WHERE x.kind = 'reversal')
                     ) p
               ), false) AS original_is_shown
          FROM lines l
          LEFT JOIN lanes.matches_of_period(p_short_code => p_short_code, p_from => p_from, p_to => p_to) m ON m.line_id = l.id
          LEFT JOIN entries t
            ON t.reference = l.receipt AND t.type = 'DEPOSIT' AND l.kind = 'payment' AND l.is_completed
          LEFT JOIN lanes.corrections_of((SELECT p.receipts FROM paid p)) c ON c.receipt = l.receipt
          LEFT JOIN lanes.matched_lines(ARRAY(SELECT x.id FROM entries x)) other
            ON other.transaction_id = t.id AND other.line_id <> l.id
          LEFT JOIN lanes.logged_of((SELECT p.receipts FROM paid p)) g
            ON g.mpesa_receipt = l.receipt AND l.kind = 'payment' AND l.is_completed
`,
  },
  // ---- The states of movements ----
  {
    of: 'services.mpesa_movement_states',
    from: `
    WITH movements AS (
        SELECT t.id, t.reference, t.type, t.id AS original, t.reference AS receipt,
               services.deposit_amount(p_receipt => t.reference, p_amount => t.amount) AS amount,
               services.deposit_amount(p_receipt => t.reference, p_amount => t.amount) AS original_amount,
               1 AS sign, p.at AS happened_at, c.closed
          FROM services.mpesa_logs g
          JOIN core.transactions t ON t.reference = g.mpesa_receipt AND t.type = 'DEPOSIT'
         CROSS JOIN LATERAL (
            SELECT services.closed_mpesa_period(
                p_short_code => p_short_code, p_happened_at => coalesce(g.paid_at, g.created_at), p_posted_at => t.created_at
            ) AS closed
         ) c
         CROSS JOIN LATERAL (
            SELECT CASE WHEN c.closed IS NULL THEN coalesce(g.paid_at, g.created_at) ELSE t.created_at END AS at
         ) p
         -- Nobody reports a payment long before it was made, so the index of the log says where to begin.
         WHERE g.short_code = p_short_code AND g.created_at >= p_from - interval '1 day' AND p.at >= p_from AND p.at < p_to
        UNION ALL
        SELECT t.id, t.reference, t.type, coalesce(o.id, t.id), o.reference, t.amount,
               CASE
                   WHEN o.type = 'DEPOSIT' THEN services.deposit_amount(p_receipt => o.reference, p_amount => o.amount)
                   ELSE coalesce(o.amount, t.amount)
               END,
               CASE WHEN core.account_of(t.credit_wallet_id) = 'MPESA-FLOAT' THEN -1 ELSE 1 END, t.created_at, NULL
          FROM core.transactions t
          LEFT JOIN core.transactions o ON o.id = t.reverses_id
          LEFT JOIN services.mpesa_logs g ON g.mpesa_receipt = o.reference
         -- The ids sort by time; see core.uuid_v7.
         WHERE t.id >= (lpad(to_hex((extract(epoch FROM p_from) * 1000)::bigint), 12, '0') || repeat('0', 20))::uuid
           AND t.id < (lpad(to_hex((extract(epoch FROM p_to) * 1000)::bigint), 12, '0') || repeat('0', 20))::uuid
           AND t.type <> 'DEPOSIT' AND t.reference NOT LIKE 'CR-%'
           AND 'MPESA-FLOAT' IN (core.account_of(t.debit_wallet_id), core.account_of(t.credit_wallet_id))
           AND (o.type IS DISTINCT FROM 'DEPOSIT' OR g.short_code = p_short_code)
`,
    to: `
    WITH counted AS MATERIALIZED (
        SELECT d.* FROM lanes.deposits_counted(p_short_code => p_short_code, p_from => p_from, p_to => p_to) d
    ), moved AS MATERIALIZED (
        SELECT t.*
          FROM lanes.float_movements(
              p_first => (lpad(to_hex((extract(epoch FROM p_from) * 1000)::bigint), 12, '0') || repeat('0', 20))::uuid,
              p_end => (lpad(to_hex((extract(epoch FROM p_to) * 1000)::bigint), 12, '0') || repeat('0', 20))::uuid,
              p_without => '^CR-'
          ) t
    ), originals AS MATERIALIZED (
        SELECT o.id, o.reference::text AS reference, o.type, o.amount
          FROM lanes.transactions_by_id(ARRAY(SELECT t.reverses_id FROM moved t)) o
    ), movements AS MATERIALIZED (
        SELECT d.id, d.reference, 'DEPOSIT' AS type, d.id AS original, d.reference AS receipt,
               d.amount + coalesce(c.amount, 0) AS amount, d.amount + coalesce(c.amount, 0) AS original_amount,
               1 AS sign, d.at AS happened_at, d.closed
          FROM counted d
          LEFT JOIN lanes.corrections_of(ARRAY(SELECT x.reference FROM counted x)) c ON c.receipt = d.reference
        UNION ALL
        SELECT t.id, t.reference::text, t.type, coalesce(o.id, t.id), o.reference, t.amount,
               CASE WHEN o.type = 'DEPOSIT' THEN o.amount + coalesce(c.amount, 0) ELSE coalesce(o.amount, t.amount) END,
               CASE WHEN core.account_of(t.credit_wallet_id) = 'MPESA-FLOAT' THEN -1 ELSE 1 END, t.created_at, NULL
          FROM moved t
          LEFT JOIN originals o ON o.id = t.reverses_id
          LEFT JOIN lanes.corrections_of(ARRAY(SELECT x.reference FROM originals x)) c ON c.receipt = o.reference
          LEFT JOIN lanes.logged_of(ARRAY(SELECT x.reference FROM originals x)) g ON g.mpesa_receipt = o.reference
         WHERE (o.type IS DISTINCT FROM 'DEPOSIT' OR g.short_code = p_short_code)
`,
  },
  {
    of: 'services.mpesa_movement_states',
    from: `
               AND EXISTS (SELECT FROM services.mpesa_matches p WHERE p.transaction_id = t.id)
           )
    ), seen AS (
`,
    to: `
               AND t.id IN (SELECT p.transaction_id FROM lanes.matched_lines(ARRAY(SELECT x.id FROM moved x)) p)
           )
    ), explained AS MATERIALIZED (
        SELECT x.* FROM lanes.matched_lines(ARRAY(SELECT m.id FROM movements m)) x
    ), shown AS MATERIALIZED (
        SELECT p.*
          FROM lanes.lines_of_receipts(
              p_short_code => p_short_code,
              p_receipts => ARRAY(SELECT m.receipt FROM movements m WHERE m.id NOT IN (SELECT x.transaction_id FROM explained x))
          ) p
         WHERE p.kind = 'payment' AND p.is_completed
    ), undoing AS MATERIALIZED (
        SELECT r.reverses_id, sum(r.amount) AS amount
          FROM lanes.reversals_of(
              ARRAY(SELECT m.original FROM movements m WHERE m.id NOT IN (SELECT x.transaction_id FROM explained x))
          ) r
         WHERE r.reference NOT LIKE 'CR-%'
         GROUP BY r.reverses_id
    ), seen AS (
`,
  },
  {
    of: 'services.mpesa_movement_states',
    from: `
        SELECT m.*, x.line_id AS explained, coalesce(own.completed_at, l.completed_at) AS completed_at,
               coalesce(own.paid_in, l.paid_in) AS paid_in,
               coalesce((
                   SELECT sum(r.amount)
                     FROM core.transactions r
                    WHERE r.reverses_id = m.original AND r.reference NOT LIKE 'CR-%'
               ), 0) = m.original_amount AND NOT EXISTS (
                   SELECT FROM services.mpesa_statement_lines p
                    WHERE p.receipt = m.receipt AND p.short_code || '' = p_short_code AND p.kind = 'payment' AND p.is_completed
               ) AS is_undone
          FROM movements m
          LEFT JOIN services.mpesa_matches x ON x.transaction_id = m.id
          LEFT JOIN services.mpesa_statement_lines own ON own.id = x.line_id
          -- Each of the two by an index of its own: one condition for both would read every line for each movement. By the
          -- receipt: see services.post_mpesa_lines.
          LEFT JOIN LATERAL (
            SELECT p.completed_at, p.paid_in
              FROM services.mpesa_statement_lines p
             WHERE x.line_id IS NULL AND m.type = 'DEPOSIT' AND p.receipt = m.receipt AND p.short_code || '' = p_short_code
               AND p.kind = 'payment' AND p.is_completed AND p.account_key = ''
             ORDER BY p.id
             LIMIT 1
          ) l ON true
`,
    to: `
        SELECT m.*, x.line_id AS explained, coalesce(x.completed_at, l.completed_at) AS completed_at,
               coalesce(x.paid_in, l.paid_in) AS paid_in,
               -- Asked of those alone that no line explains, and asked for no others.
               coalesce(u.amount, 0) = m.original_amount
               AND coalesce(m.receipt NOT IN (SELECT p.receipt::text FROM shown p), true) AS is_undone
          FROM movements m
          LEFT JOIN explained x ON x.transaction_id = m.id
          LEFT JOIN undoing u ON u.reverses_id = m.original
          LEFT JOIN (
            SELECT DISTINCT ON (p.receipt) p.receipt::text AS receipt, p.completed_at, p.paid_in
              FROM shown p
             WHERE p.account_key = ''
             ORDER BY p.receipt, p.id
          ) l ON x.line_id IS NULL AND m.type = 'DEPOSIT' AND l.receipt = m.receipt
`,
  },
  // ---- The float ----
  {
    of: 'services.mpesa_float',
    from: `
              FROM services.mpesa_periods p
             WHERE p.short_code = p_short_code AND p.status = 'CLOSED' AND p.to_at <= p_at
`,
    to: `
              FROM lanes.periods_of(p_short_code) p
             WHERE p.status = 'CLOSED' AND p.to_at <= p_at
`,
  },
  {
    of: 'services.mpesa_float',
    from: `
    ), deposits AS (
        SELECT sum(services.deposit_amount(p_receipt => t.reference, p_amount => t.amount)) AS amount
          FROM base b
          JOIN services.mpesa_logs g ON g.short_code = p_short_code AND g.created_at >= b.to_at - interval '1 day'
          JOIN core.transactions t ON t.reference = g.mpesa_receipt AND t.type = 'DEPOSIT'
         CROSS JOIN LATERAL (
            SELECT CASE
                WHEN services.closed_mpesa_period(
                    p_short_code => p_short_code, p_happened_at => coalesce(g.paid_at, g.created_at), p_posted_at => t.created_at
                ) IS NULL THEN coalesce(g.paid_at, g.created_at)
                ELSE t.created_at
            END AS at
         ) e
         WHERE e.at >= b.to_at AND e.at < p_at
    ), stated AS (
        SELECT sum(l.paid_in - l.withdrawn) AS amount
          FROM base b
          JOIN services.mpesa_statement_lines l
            ON l.short_code = p_short_code AND l.completed_at >= b.to_at AND l.completed_at < p_at
          JOIN services.mpesa_matches m ON m.line_id = l.id
          JOIN core.transactions t ON t.id = m.transaction_id AND t.reference ~ '^(MC|MS|RV)-'
         WHERE l.kind IN ('charge', 'sweep', 'reversal')
    ), others AS (
`,
    to: `
    ), counted AS MATERIALIZED (
        SELECT d.*
          FROM base b
         CROSS JOIN LATERAL lanes.deposits_counted(p_short_code => p_short_code, p_from => b.to_at, p_to => p_at) d
    ), deposits AS (
        SELECT sum(d.amount + coalesce(c.amount, 0)) AS amount
          FROM counted d
          LEFT JOIN lanes.corrections_of(ARRAY(SELECT x.reference FROM counted x)) c ON c.receipt = d.reference
    ), lines AS MATERIALIZED (
        SELECT l.*
          FROM base b
         CROSS JOIN LATERAL lanes.posted_lines(p_short_code => p_short_code, p_from => b.to_at, p_to => p_at) l
    ), stated AS (
        SELECT sum(l.amount) AS amount
          FROM lines l
          JOIN lanes.transactions_by_id(ARRAY(SELECT x.transaction_id FROM lines x)) t
            ON t.id = l.transaction_id AND t.reference ~ '^(MC|MS|RV)-'
    ), first AS MATERIALIZED (
        SELECT (lpad(to_hex((extract(epoch FROM b.to_at) * 1000)::bigint), 12, '0') || repeat('0', 20))::uuid AS id FROM base b
    ), moved AS MATERIALIZED (
        SELECT t.*
          FROM first f
         CROSS JOIN LATERAL lanes.float_movements(p_first => f.id, p_end => NULL, p_without => '^(MC|MS|RV|CR)-') t
    ), originals AS MATERIALIZED (
        SELECT o.id, o.reference::text AS reference, o.type
          FROM lanes.transactions_by_id(ARRAY(SELECT t.reverses_id FROM moved t)) o
    ), corrected AS MATERIALIZED (
        SELECT c.id, substr(c.reference, 4) AS receipt, c.type, c.amount, c.created_at
          FROM first f
         CROSS JOIN LATERAL lanes.corrections_since(p_first => f.id, p_before => p_at) c
    ), others AS (
`,
  },
  {
    of: 'services.mpesa_float',
    from: `
          JOIN core.transactions t
            ON t.id >= (lpad(to_hex((extract(epoch FROM b.to_at) * 1000)::bigint), 12, '0') || repeat('0', 20))::uuid
          LEFT JOIN core.transactions o ON o.id = t.reverses_id
          LEFT JOIN services.mpesa_logs g ON g.mpesa_receipt = o.reference
          LEFT JOIN services.mpesa_matches m ON m.transaction_id = t.id
          LEFT JOIN services.mpesa_statement_lines l ON l.id = m.line_id
         WHERE t.type <> 'DEPOSIT' AND t.reference !~ '^(MC|MS|RV|CR)-'
           AND 'MPESA-FLOAT' IN (core.account_of(t.debit_wallet_id), core.account_of(t.credit_wallet_id))
           AND (o.type IS DISTINCT FROM 'DEPOSIT' OR g.short_code = p_short_code)
`,
    to: `
         CROSS JOIN moved t
          LEFT JOIN originals o ON o.id = t.reverses_id
          LEFT JOIN lanes.logged_of(ARRAY(SELECT x.reference FROM originals x)) g ON g.mpesa_receipt = o.reference
          LEFT JOIN lanes.matched_lines(ARRAY(SELECT x.id FROM moved x)) l ON l.transaction_id = t.id
         WHERE (o.type IS DISTINCT FROM 'DEPOSIT' OR g.short_code = p_short_code)
`,
  },
  {
    of: 'services.mpesa_float',
    from: `
          JOIN core.transactions c
            ON c.id >= (lpad(to_hex((extract(epoch FROM b.to_at) * 1000)::bigint), 12, '0') || repeat('0', 20))::uuid
           AND c.created_at < p_at AND c.reference LIKE 'CR-%'
          JOIN services.mpesa_logs g ON g.mpesa_receipt = substr(c.reference, 4) AND g.short_code = p_short_code
          JOIN core.transactions t ON t.reference = g.mpesa_receipt
`,
    to: `
         CROSS JOIN corrected c
          JOIN lanes.logged_of(ARRAY(SELECT x.receipt FROM corrected x)) g
            ON g.mpesa_receipt = c.receipt AND g.short_code = p_short_code
          JOIN lanes.entries_of(ARRAY(SELECT x.receipt FROM corrected x)) t ON t.reference = g.mpesa_receipt
`,
  },
];
