import type { Passage } from './passage.ts';

/**
 * Passages of what is done about M-PESA's statements: matching, posting, breaks and periods. Their tables lie on the coordinator,
 * payments and movements in the lanes. So each side is fetched as a set, by period or by all receipts at once, and what joins
 * them joins functions alone.
 */
export const STATEMENT_PASSAGES: readonly Passage[] = [
  // ---- Names that go one after the other, where the tables of statements lie ----
  ...(
    [
      ['services.begin_mpesa_statement', `'services.mpesa_statements ' || p_short_code`],
      ['services.begin_mpesa_period', `'services.mpesa_statements ' || p_short_code`],
      ['services.begin_mpesa_period', `'services.mpesa_periods ' || p_short_code`],
      ['services.reopen_mpesa_period', `'services.mpesa_periods ' || coalesce(v_period.short_code, '')`],
      ['services.note_mpesa_breaks', `'services.mpesa_breaks ' || p_short_code`],
    ] as const
  ).map(([of, name]) => ({
    of,
    from: `PERFORM pg_advisory_xact_lock(hashtextextended(${name}, 0));`,
    to: `PERFORM lanes.lock_on_coordinator(p_name => ${name});`,
  })),
  {
    of: 'services.end_mpesa_period',
    from: `
    PERFORM pg_advisory_xact_lock(hashtextextended('services.mpesa_periods ' || p.short_code, 0))
       FROM services.mpesa_periods p
      WHERE p.id = p_id;
`,
    to: `
    PERFORM lanes.lock_on_coordinator(p_name => 'services.mpesa_periods ' || coalesce(
        (SELECT p.short_code FROM services.mpesa_periods p WHERE p.id = p_id), ''
    ));
`,
  },
  // ---- Periods ----
  {
    of: 'services.begin_mpesa_period',
    from: `
    v_now := date_trunc('milliseconds', clock_timestamp() AT TIME ZONE 'UTC');
`,
    to: `
    -- Each node has a clock of its own: what is posted later bears a later time than the float.
    v_now := lanes.stamp_float(p_at => date_trunc('milliseconds', clock_timestamp() AT TIME ZONE 'UTC'));
`,
  },
  // An UPDATE that is sent to another node may not ask who asks.
  {
    of: 'services.reopen_mpesa_period',
    from: `    v_period services.mpesa_periods;
`,
    to: `    v_period services.mpesa_periods;
    v_by     constant text := coalesce(p_by, session_user);
`,
  },
  {
    of: 'services.reopen_mpesa_period',
    from: 'reopened_by = coalesce(p_by, session_user)',
    to: 'reopened_by = v_by',
  },
  // ---- Amounts ----
  {
    of: 'services.deposit_amount',
    from: `
          FROM core.transactions c
         WHERE c.reference = 'CR-' || p_receipt
`,
    to: `
          FROM lanes.transactions_of(ARRAY['CR-' || p_receipt]) c
`,
  },
  // ---- Matching ----
  {
    of: 'services.match_mpesa_lines',
    from: `
BEGIN
    PERFORM set_config('daftari.door', 'open', true);
    WITH lines AS (
`,
    to: `
DECLARE
    v_lines     uuid[];
    v_movements uuid[];
BEGIN
    PERFORM set_config('daftari.door', 'open', true);
    WITH lines AS MATERIALIZED (
`,
  },
  {
    of: 'services.match_mpesa_lines',
    from: `
          FROM services.mpesa_statement_lines l
         WHERE l.short_code = p_short_code AND l.completed_at >= p_from AND l.completed_at < p_to
           AND l.is_completed AND l.account_key = '' AND l.kind IN ('payment', 'reversal')
           AND NOT EXISTS (SELECT FROM services.mpesa_matches m WHERE m.line_id = l.id)
`,
    to: `
          FROM lanes.unmatched_lines(p_short_code => p_short_code, p_from => p_from, p_to => p_to) l
`,
  },
  {
    of: 'services.match_mpesa_lines',
    from: `
          JOIN core.transactions t ON t.reference = l.receipt AND t.type = 'DEPOSIT'
          JOIN services.mpesa_logs g ON g.mpesa_receipt = l.receipt AND coalesce(g.short_code, l.short_code) = l.short_code
         WHERE l.kind = 'payment'
           AND l.paid_in = services.deposit_amount(p_receipt => l.receipt, p_amount => t.amount)
`,
    to: `
          JOIN lanes.entries_of(ARRAY(SELECT x.receipt FROM lines x WHERE x.kind = 'payment')) t
            ON t.reference = l.receipt AND t.type = 'DEPOSIT'
          JOIN lanes.logged_of(ARRAY(SELECT x.receipt FROM lines x WHERE x.kind = 'payment')) g
            ON g.mpesa_receipt = l.receipt AND coalesce(g.short_code, l.short_code) = l.short_code
          LEFT JOIN lanes.corrections_of(ARRAY(SELECT x.receipt FROM lines x WHERE x.kind = 'payment')) c
            ON c.receipt = l.receipt
         WHERE l.kind = 'payment'
           AND l.paid_in = t.amount + coalesce(c.amount, 0)
`,
  },
  {
    of: 'services.match_mpesa_lines',
    from: `
    ), reversal_movements AS (
`,
    to: `
    ), taken_back AS MATERIALIZED (
        SELECT d.id, d.reference
          FROM lanes.entries_of(ARRAY(SELECT l.linked_receipt FROM reversal_lines l)) d
          JOIN lanes.logged_of(ARRAY(SELECT l.linked_receipt FROM reversal_lines l)) g
            ON g.mpesa_receipt = d.reference AND g.short_code = p_short_code
         WHERE d.type = 'DEPOSIT'
    ), undoing AS MATERIALIZED (
        SELECT r.id, r.reverses_id, r.amount
          FROM lanes.reversals_of(ARRAY(SELECT d.id FROM taken_back d)) r
         WHERE r.type = 'REVERSAL' AND r.reference NOT LIKE 'CR-%'
    ), reversal_movements AS (
`,
  },
  {
    of: 'services.match_mpesa_lines',
    from: `
          FROM core.transactions d
          JOIN services.mpesa_logs g ON g.mpesa_receipt = d.reference AND g.short_code = p_short_code
          JOIN core.transactions r ON r.reverses_id = d.id AND r.type = 'REVERSAL' AND r.reference NOT LIKE 'CR-%'
         WHERE d.type = 'DEPOSIT' AND d.reference IN (SELECT l.linked_receipt FROM reversal_lines l)
           AND NOT EXISTS (SELECT FROM services.mpesa_matches m WHERE m.transaction_id = r.id)
`,
    to: `
          FROM taken_back d
          JOIN undoing r ON r.reverses_id = d.id
         WHERE NOT EXISTS (
               SELECT FROM lanes.matched_lines(ARRAY(SELECT u.id FROM undoing u)) m WHERE m.transaction_id = r.id
           )
`,
  },
  {
    of: 'services.match_mpesa_lines',
    from: `
    INSERT INTO services.mpesa_matches (line_id, transaction_id)
    SELECT f.line_id, f.transaction_id FROM found f ORDER BY f.line_id
    ON CONFLICT DO NOTHING;
`,
    to: `
    SELECT array_agg(f.line_id ORDER BY f.line_id), array_agg(f.transaction_id ORDER BY f.line_id)
      INTO v_lines, v_movements
      FROM found f;
    INSERT INTO services.mpesa_matches (line_id, transaction_id)
    SELECT f.line_id, f.transaction_id FROM unnest(v_lines, v_movements) AS f (line_id, transaction_id) ORDER BY f.line_id
    ON CONFLICT DO NOTHING;
`,
  },
  // ---- Breaks ----
  {
    of: 'services.note_mpesa_breaks',
    from: `    v_by constant text := coalesce(p_by, session_user);
`,
    to: `    v_by constant text := coalesce(p_by, session_user);
    v_known      uuid[]; -- about which there is a break
    v_subjects   uuid[];
    v_sides      text[];
    v_states     text[];
    v_reasons    text[];
    v_are_open   boolean[];
    v_kinds      text[];
    v_references text[];
    v_amounts    numeric[];
    v_ledger     numeric[];
    v_times      timestamp[];
`,
  },
  {
    of: 'services.note_mpesa_breaks',
    from: `
    WITH items AS MATERIALIZED (
        SELECT l.line_id AS subject,`,
    to: `
    v_known := ARRAY(
        SELECT b.subject_id
          FROM services.mpesa_breaks b
         WHERE b.short_code = p_short_code AND b.happened_at >= p_from AND b.happened_at < p_to
    );
    WITH items AS MATERIALIZED (
        SELECT l.line_id AS subject,`,
  },
  {
    of: 'services.note_mpesa_breaks',
    from: `
    ), found AS (
`,
    to: `
    )
    SELECT array_agg(i.subject), array_agg(i.side), array_agg(i.state), array_agg(i.reason), array_agg(i.is_open),
           array_agg(i.kind), array_agg(i.reference), array_agg(i.amount), array_agg(i.ledger_amount), array_agg(i.happened_at)
      INTO v_subjects, v_sides, v_states, v_reasons, v_are_open, v_kinds, v_references, v_amounts, v_ledger, v_times
      FROM items i
     WHERE i.is_open OR i.subject = ANY (v_known);
    WITH items AS MATERIALIZED (
        SELECT i.*
          FROM unnest(
              v_subjects, v_sides, v_states, v_reasons, v_are_open, v_kinds, v_references, v_amounts, v_ledger, v_times
          ) AS i (subject, side, state, reason, is_open, kind, reference, amount, ledger_amount, happened_at)
    ), found AS (
`,
  },
  // ---- What is posted ----
  {
    of: 'services.post_mpesa_lines',
    from: 'JOIN core.transactions t ON t.reference = x.reference AND t.reference = ANY (v_references)',
    to: 'JOIN lanes.transactions_of(v_references) t ON t.reference = x.reference',
  },
  {
    of: 'services.post_mpesa_reversal',
    from: `
      FROM core.transactions d
      JOIN services.mpesa_logs g ON g.mpesa_receipt = d.reference AND g.short_code = l.short_code
     WHERE d.reference = l.linked_receipt AND d.type = 'DEPOSIT';
`,
    to: `
      FROM lanes.transactions_of(ARRAY[l.linked_receipt]::text[]) d
      JOIN lanes.logged_of(ARRAY[l.linked_receipt]::text[]) g ON g.mpesa_receipt = d.reference AND g.short_code = l.short_code
     WHERE d.type = 'DEPOSIT';
`,
  },
  // Whoever asks for an assignment by its lock has the wallet already, or two would wait in a circle.
  {
    of: 'services.post_mpesa_reversal',
    from: `
      FROM core.current_assignment(t.reference) c
      LEFT JOIN core.transactions a ON a.reference = c.reference;
`,
    to: `
      FROM lanes.assignments_of(ARRAY[t.reference]::text[]) c
      LEFT JOIN LATERAL lanes.transactions_of(ARRAY[c.reference]::text[]) a ON true;
`,
  },
  {
    of: 'services.post_mpesa_reversal',
    from: `
          FROM core.current_assignment(t.reference) c
          LEFT JOIN core.transactions a ON a.reference = c.reference
`,
    to: `
          FROM core.current_assignment(t.reference) c
          LEFT JOIN LATERAL lanes.transactions_of(ARRAY[c.reference]::text[]) a ON true
`,
  },
];
