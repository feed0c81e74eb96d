import type { Passage } from './passage.ts';

/**
 * Passages of functions that any node runs. What joins tables of several nodes joins what functions answer that ask one
 * table each (`lanes.transactions_of` and its like); a row of the lanes is changed by its lane; and what triggers told
 * customers, the functions tell, because a trigger on one node may ask no other.
 */
export const PASSAGES: readonly Passage[] = [
  // ---- The door ----
  {
    of: 'core.post_transactions',
    from: `
    UPDATE core.wallets w
       SET balance = t.balance, version = t.version, updated_at = posted_at
      FROM unnest(w_ids, w_balances, w_versions, w_counts) AS t (id, balance, version, postings)
     WHERE w.id = t.id AND w.id = ANY (w_ids) AND t.postings > 0;
    PERFORM set_config('daftari.door', '', true);
`,
    to: `
    PERFORM lanes.write_balances(
        p_ids => w_ids, p_balances => w_balances, p_versions => w_versions, p_counts => w_counts, p_at => posted_at
    );
    PERFORM set_config('daftari.door', '', true);
    PERFORM lanes.tell_of_transaction(x)
       FROM lanes.transactions_of(
           CASE WHEN p_types && ARRAY['REVERSAL', 'ASSIGNMENT'] THEN p_references END
       ) AS x
      WHERE x.id = ANY (ids) AND x.type IN ('REVERSAL', 'ASSIGNMENT');
`,
  },
  {
    of: 'core.post_transactions',
    from: `
    INSERT INTO core.transactions (
        id,`,
    to: `
    PERFORM lanes.claim_new_references(p_references => p_references, p_lanes => lanes, p_ids => ids);
    INSERT INTO core.transactions (
        id,`,
  },
  {
    of: 'core.record_transfers',
    from: 'JOIN core.requests q ON',
    to: 'JOIN lanes.requests_of(p_keys) q ON',
  },
  {
    of: 'core.record_transfers',
    from: 'LEFT JOIN core.transactions x ON',
    to: 'LEFT JOIN lanes.transactions_of(v_earlier) x ON',
  },
  {
    of: 'core.record_transfers',
    from: 'LEFT JOIN core.transactions f ON',
    to: 'LEFT JOIN lanes.transactions_of(v_earlier) f ON',
  },
  // ---- Holds ----
  {
    of: 'core.capture_hold',
    from: `
               closed_available = (SELECT b.balance - b.held FROM core.wallets b WHERE b.id = h.wallet_id)
         WHERE id = h.id;`,
    to: `
               closed_available = (SELECT b.balance - b.held FROM core.wallets b WHERE b.lane = h.lane AND b.id = h.wallet_id)
         WHERE lane = h.lane AND id = h.id;
        PERFORM lanes.tell_of_capture(x) FROM lanes.holds_of(ARRAY[h.id]) AS x;`,
  },
  {
    of: 'core.release_hold',
    from: 'WHERE b.id = h.wallet_id\n        RETURNING',
    to: 'WHERE b.lane = h.lane AND b.id = h.wallet_id\n        RETURNING',
  },
  { of: 'core.release_hold', from: 'WHERE id = h.id;', to: 'WHERE lane = h.lane AND id = h.id;' },
  // ---- Batches of operations ----
  {
    of: 'core.run_operations',
    from: 'JOIN core.holds h ON h.id = o.hold AND h.id = ANY (p_holds)',
    to: 'JOIN lanes.holds_of(p_holds) h ON h.id = o.hold',
  },
  {
    of: 'core.run_operations',
    from: `SELECT x.amount - (
                          SELECT sum(y.amount) FROM core.transactions y
                           WHERE y.reverses_id = t.reverses_id AND y.debit_version <= t.debit_version
                      )
                 FROM core.transactions x
                WHERE x.id = t.reverses_id
`,
    to: 'lanes.remaining_after(p_id => t.reverses_id, p_version => t.debit_version)\n',
  },
  {
    of: 'core.run_operations',
    from: 'FROM core.wallets b WHERE b.id = h.wallet_id)',
    to: 'FROM lanes.wallets_of(ARRAY[h.wallet_id::text]) b)',
  },
  {
    of: 'core.run_operations',
    from: 'LEFT JOIN core.transactions t ON t.reference = o.reference AND t.reference = ANY (v_references)',
    to: 'LEFT JOIN lanes.transactions_of(v_references) t ON t.reference = o.reference',
  },
  {
    of: 'core.run_operations',
    from: `LEFT JOIN core.transactions f
        ON f.reference = o.reference || '-F' AND f.type = 'FEE'
           AND f.reference = ANY (ARRAY(SELECT v.reference || '-F' FROM unnest(v_references) AS v (reference)))`,
    to: `LEFT JOIN lanes.transactions_of(ARRAY(SELECT v.reference || '-F' FROM unnest(v_references) AS v (reference))) f
        ON f.reference = o.reference || '-F' AND f.type = 'FEE'`,
  },
  {
    of: 'core.run_operations',
    from: 'LEFT JOIN core.holds h ON h.id = o.hold AND h.id = ANY (v_holds)',
    to: 'LEFT JOIN lanes.holds_of(v_holds) h ON h.id = o.hold',
  },
  // ---- Messages to customers ----
  {
    of: 'services.tell_of_capture',
    from: 'FROM core.wallets w WHERE w.id = t.debit_wallet_id)',
    to: 'FROM lanes.wallets_of(ARRAY[t.debit_wallet_id::text]) w)',
  },
  {
    of: 'services.tell_of_capture',
    from: 'FROM core.wallets w WHERE w.id = t.credit_wallet_id)',
    to: 'FROM lanes.wallets_of(ARRAY[t.credit_wallet_id::text]) w)',
  },
  {
    of: 'services.queue_movement_sms',
    from: `
        WITH first AS (
            SELECT DISTINCT ON (t.wallet) t.wallet, t.ord
              FROM unnest(p_templates, p_wallets) WITH ORDINALITY AS t (template, wallet, ord)
              JOIN core.wallets w ON w.id = t.wallet AND w.id = ANY (p_wallets) AND w.kind = 'CUSTOMER'
             WHERE t.template = 'transfer_refused'
             ORDER BY t.wallet, t.ord
        ), told AS (
            INSERT INTO services.sms_last_told AS l (wallet_id, template, told_at)
            SELECT f.wallet, 'transfer_refused', v_now FROM first f ORDER BY f.wallet
                ON CONFLICT (wallet_id, template) DO UPDATE
               SET told_at = EXCLUDED.told_at
             WHERE l.told_at <= EXCLUDED.told_at - interval '1 hour'
            RETURNING l.wallet_id
        )
        SELECT array_agg(f.ord) INTO v_told FROM told JOIN first f ON f.wallet = told.wallet_id;
`,
    to: `
        v_told := lanes.note_refusals(p_templates => p_templates, p_wallets => p_wallets, p_now => v_now);
`,
  },
  // Citus mistakes the columns of an INSERT ... SELECT over functions that begins with WITH.
  {
    of: 'services.queue_movement_sms',
    from: `
    WITH party AS MATERIALIZED (
        SELECT w.id::text, w.kind, w.phone, w.holder_name, w.language::text, w.status, w.lane
          FROM core.wallets w
         WHERE w.id = ANY (v_all)
    ), wording AS MATERIALIZED (
        SELECT m.key::text, m.language::text, m.formats FROM services.sms_templates m WHERE m.key = ANY (p_templates)
    )
`,
    to: '\n',
  },
  {
    of: 'services.queue_movement_sms',
    from: 'JOIN party p ON p.id = t.wallet',
    to: 'JOIN lanes.wallets_of(v_all) p ON p.id = t.wallet',
  },
  {
    of: 'services.queue_movement_sms',
    from: 'LEFT JOIN party o ON o.id = t.other',
    to: 'LEFT JOIN lanes.wallets_of(v_all) o ON o.id = t.other',
  },
  {
    of: 'services.queue_movement_sms',
    from: 'LEFT JOIN wording m ON',
    to: 'LEFT JOIN lanes.sms_templates_of(p_templates) m ON',
  },
  {
    of: 'services.retell_masked',
    from: '    v_done boolean;\n',
    to: '    v_done boolean;\n    w core.wallets;\n    m services.sms_templates;\n',
  },
  {
    of: 'services.retell_masked',
    from: '    UPDATE services.sms_logs l\n',
    to: `    SELECT x.* INTO w FROM core.wallets x WHERE x.id = p_assignment.credit_wallet_id;
    SELECT x.* INTO m FROM services.sms_templates x WHERE x.key = 'suspense_assigned' AND x.language = w.language;
    UPDATE services.sms_logs l
`,
  },
  {
    of: 'services.retell_masked',
    from: `
      FROM core.wallets w
      LEFT JOIN services.sms_templates m ON m.key = 'suspense_assigned' AND m.language = w.language
     WHERE l.id = v_id AND w.id = p_assignment.credit_wallet_id AND w.phone IS NOT NULL;
`,
    to: `
     WHERE l.id = v_id AND w.phone IS NOT NULL;
`,
  },
  // ---- Payments that we asked for, and what people decide ----
  {
    of: 'services.refresh_flags',
    from: `    v_door constant text := coalesce(current_setting('daftari.door', true), '');
`,
    to: `    v_door constant text := coalesce(current_setting('daftari.door', true), '');
    v_open text[]; -- receipts with a message about which nobody has decided
`,
  },
  {
    of: 'services.refresh_flags',
    from: `ORDER BY p.id FOR UPDATE;
`,
    to: `ORDER BY p.id FOR UPDATE;
    v_open := lanes.undecided_receipts(ARRAY(
        SELECT e.receipt::text
          FROM services.mpesa_payment_events e
         WHERE e.payment_id = ANY (p_ids) AND e.kind IN ('CONFLICT', 'UNPROVEN')
    ));
`,
  },
  {
    of: 'services.refresh_flags',
    from: `AND EXISTS (
                        SELECT FROM services.mpesa_callbacks c
                         WHERE c.receipt = e.receipt AND c.outcome IN ('CONFLICT', 'QUARANTINED')
                           AND NOT EXISTS (SELECT FROM services.mpesa_decisions d WHERE d.callback_id = c.id)
                    )
`,
    to: `AND e.receipt = ANY (v_open)
`,
  },
  {
    of: 'services.correct_payment',
    from: '    v_post     record;\n',
    to: '    v_post     record;\n    v_is_reversed boolean;\n    v_is_changed  boolean;\n',
  },
  {
    of: 'services.correct_payment',
    from: '    reason := CASE\n',
    to: `    v_is_reversed := core.remaining_of(t.id) < t.amount;
    v_is_changed := EXISTS (SELECT FROM core.transactions x WHERE x.reference = 'CR-' || v_receipt);
    reason := CASE
`,
  },
  {
    of: 'services.correct_payment',
    from: `WHEN core.remaining_of(t.id) < t.amount THEN 'already_reversed'
        WHEN EXISTS (SELECT FROM core.transactions x WHERE x.reference = 'CR-' || v_receipt) THEN`,
    to: `WHEN v_is_reversed THEN 'already_reversed'
        WHEN v_is_changed THEN`,
  },
  // ---- Events for endpoints ----
  {
    of: 'services.queue_change_webhook',
    from: `
                     FROM core.transactions t
                    WHERE t.reference IN (p_receipt, 'CR-' || p_receipt) AND t.type = 'DEPOSIT'
`,
    to: `
                     FROM lanes.transactions_of(ARRAY[p_receipt, 'CR-' || p_receipt]) t
                    WHERE t.type = 'DEPOSIT'
`,
  },
  {
    of: 'services.queue_change_webhook',
    from: 'LEFT JOIN services.mpesa_logs l ON',
    to: 'LEFT JOIN lanes.logs_of(ARRAY[p_receipt]) l ON',
  },
  {
    of: 'services.queue_movement_webhook',
    from: 'FROM core.transactions t WHERE t.id = p_movement.reverses_id;',
    to: 'FROM lanes.transactions_by_id(ARRAY[p_movement.reverses_id]) t;',
  },
  {
    of: 'services.queue_movement_webhook',
    from: 'FROM core.wallets w WHERE w.id = v_to AND',
    to: 'FROM lanes.wallets_of(ARRAY[v_to]) w WHERE',
  },
  {
    of: 'services.queue_movement_webhook',
    from: 'FROM core.wallets w WHERE w.id = v_from AND',
    to: 'FROM lanes.wallets_of(ARRAY[v_from]) w WHERE',
  },
  // ---- Trials: an UPDATE asks no function of the time or of the session within CASE or COALESCE ----
  {
    of: 'services.store_daraja_token',
    from: `
BEGIN
    PERFORM set_config('daftari.door', 'open', true);
`,
    to: `
DECLARE
    v_now constant timestamp := clock_timestamp() AT TIME ZONE 'UTC';
BEGIN
    PERFORM set_config('daftari.door', 'open', true);
`,
  },
  {
    of: 'services.store_daraja_token',
    from: `ELSE (clock_timestamp() AT TIME ZONE 'UTC') + p_valid_ms`,
    to: 'ELSE v_now + p_valid_ms',
  },
];
