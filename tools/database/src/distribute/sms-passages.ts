import type { LaneEntry, Passage } from './passage.ts';

/** An event lies in the lane of its message. */
const EVENT_COLUMNS = [
  /INSERT INTO services\.sms_events \(sms_id, kind, attempt, detail\)(\s+)SELECT /,
  'INSERT INTO services.sms_events (lane, sms_id, kind, attempt, detail)$1SELECT v_lane, ',
] as const;

/** The key of late answers begins with the lane. */
const LATE_KEY = [/ON CONFLICT \(sms_id, attempt\)/, 'ON CONFLICT (lane, sms_id, attempt)'] as const;

/**
 * Who wants no unimportant messages is asked after the rows are locked and before they are judged: what is locked here is what is
 * picked, because nobody else gets it and no lock of one's own is skipped.
 */
const OPTED_OUT = `
            v_looked := NULL; v_numbers := NULL; v_hashes := NULL;
            IF p_priority = 1 THEN
                SELECT array_agg(k.id), array_agg(k.recipient), array_agg(k.recipient_hash)
                  INTO v_looked, v_numbers, v_hashes
                  FROM (
                    SELECT l.id, l.recipient, l.recipient_hash
                      FROM services.sms_logs l
                     WHERE l.phase = 'QUEUED' AND l.priority = 1 AND l.next_attempt_at <= v_now
                     ORDER BY l.next_attempt_at
                     LIMIT v_left
                       FOR NO KEY UPDATE OF l SKIP LOCKED
                  ) k;
                SELECT array_agg(o.number), array_agg(o.number_hash)
                  INTO v_numbers, v_hashes
                  FROM services.sms_opt_outs o
                 WHERE o.number = ANY (v_numbers) OR o.number_hash = ANY (v_hashes);
            END IF;
`;

/** The functions of messages that run whole on the node that has a lane. What concerns other lanes their callers do. */
export const SMS_ENTRIES: Readonly<Record<string, LaneEntry>> = {
  'services.claim_sms': {
    parameters: 'p_lane smallint, p_priority integer, ',
    steps: [
      [
        /( {4}v_next +timestamp;\n)/,
        '$1    v_looked   uuid[];\n    v_numbers  text[];\n    v_hashes   text[];\n',
      ],
      // The budget is of all lanes, and so is the moment when the next message is due.
      [/ {4}IF p_budget IS NOT NULL THEN\n[\s\S]*?\n {4}END IF;\n/, ''],
      [/ {4}IF v_left = 0 OR failed >= c_failures THEN\n[\s\S]*?\n {4}END IF;\n/, ''],
      [/IN 0 \.\. CASE WHEN paused THEN 0 ELSE 1 END LOOP/, 'IN p_priority .. p_priority LOOP'],
      // One go a call: what is due longest after that may lie in another lane.
      [/EXIT WHEN v_lost = 0;/, 'EXIT;'],
      [/(PERFORM set_config\('daftari\.door', 'open', true\);\n)/, `$1${OPTED_OUT.slice(1)}`],
      [
        /EXISTS \(SELECT 1 FROM services\.sms_opt_outs o WHERE o\.number = l\.recipient\)\s+OR EXISTS \(SELECT 1 FROM services\.sms_opt_outs o WHERE o\.number_hash = l\.recipient_hash\)/,
        'l.recipient = ANY (v_numbers) OR l.recipient_hash = ANY (v_hashes)',
      ],
      [
        /AND l\.priority = v_priority AND l\.next_attempt_at <= v_now/,
        'AND l.priority = v_priority AND l.next_attempt_at <= v_now\n                   AND (v_priority = 0 OR l.id = ANY (v_looked))',
      ],
    ],
  },
  'services.settle_sms': {
    parameters: 'p_lane smallint, ',
    steps: [
      // Reports lie elsewhere, so who settles asks for them: by the provider's id that the message has now.
      [
        /RETURNS TABLE\(ord integer, result text, status text\)/,
        'RETURNS TABLE(ord integer, result text, status text, message_id text)',
      ],
      [/ {4}PERFORM services\.lock_message_ids\([^;]*;\n/, ''],
      [
        /array_agg\(c\.was\),\s+array_agg\(c\.id\) FILTER \(\s+WHERE EXISTS \([^)]*\)\s+\)\s+INTO v_ords, v_was, v_fold/,
        'array_agg(c.was)\n      INTO v_ords, v_was',
      ],
      [/ {4}IF v_fold IS NOT NULL THEN\n[^;]*;\n {4}END IF;\n/, ''],
      [/ {4}-- ---- 3\.[\s\S]*?(?= {4}-- ---- 4\.)/, ''],
      EVENT_COLUMNS,
      LATE_KEY,
      [/l\.status::text\n(\s+FROM unnest\(p_ids\))/, 'l.status::text, l.provider_message_id::text\n$1'],
      // The day's spending has one row for all lanes.
      [/ {4}v_ords := v_ords \|\| v_after;\n[\s\S]*?FROM unnest\(v_ords\) AS t \(ord\);\n/, ''],
    ],
  },
  'services.settle_late_sms': {
    parameters: 'p_lane smallint, ',
    steps: [EVENT_COLUMNS, LATE_KEY, [/ {4}PERFORM services\.fold_delivery\([^;]*;\n/, '']],
  },
  'services.expire_sms_leases': {
    parameters: 'p_lane smallint, ',
    steps: [
      [/( {4}v_count integer;\n)/, '$1    v_ids   uuid[];\n    v_tries smallint[];\n    v_whose text[];\n'],
      // Citus mistakes the columns of an INSERT ... SELECT that begins with WITH.
      [
        /\)\s+INSERT INTO services\.sms_events[\s\S]*?FROM changed c;\s+GET DIAGNOSTICS v_count = ROW_COUNT;/,
        `)
    SELECT array_agg(c.id), array_agg(c.attempts), array_agg(c.claimed_by)
      INTO v_ids, v_tries, v_whose
      FROM changed c;
    INSERT INTO services.sms_events (lane, sms_id, kind, attempt, detail)
    SELECT v_lane, t.id, 'UNKNOWN', t.attempt, 'lease_over, claimed by ' || t.claimed_by
      FROM unnest(v_ids, v_tries, v_whose) AS t (id, attempt, claimed_by);
    v_count := coalesce(cardinality(v_ids), 0);`,
      ],
    ],
  },
};

/** Why a message counts as lost. In an UPDATE of a distributed table no function may be called that is not immutable. */
const LOST = ` concat_ws(
                   ' ', 'The network reported ' || d.status || coalesce(', ' || d.reason, '') || '.', d.explanation
               )`;

/** Passages about messages of functions that any node runs. */
export const SMS_PASSAGES: readonly Passage[] = [
  // ---- A payer who could not be told: the message stays in the lane where it was written ----
  {
    of: 'services.retell_masked',
    from: '    v_id   uuid;\n',
    to: '    v_id   uuid;\n    v_lane smallint;\n',
  },
  {
    of: 'services.retell_masked',
    from: '    SELECT l.id INTO v_id\n',
    to: '    SELECT l.id, l.lane INTO v_id, v_lane\n',
  },
  {
    of: 'services.retell_masked',
    from: 'language = w.language, lane = w.lane,',
    to: 'language = w.language,',
  },
  {
    of: 'services.retell_masked',
    from: 'WHERE l.id = v_id AND',
    to: 'WHERE l.lane = v_lane AND l.id = v_id AND',
  },
  // ---- Texts, which every node has ----
  {
    of: 'services.set_sms_template',
    from: `greatest(t.changed_at + interval '1 millisecond', clock_timestamp() AT TIME ZONE 'UTC')`,
    to: `greatest(t.changed_at + interval '1 millisecond', EXCLUDED.changed_at)`,
  },
  // ---- What a person decides ----
  {
    of: 'services.decide_sms',
    from: '    l     services.sms_logs;\n',
    to: '    l     services.sms_logs;\n    v_lane smallint;\n',
  },
  {
    of: 'services.decide_sms',
    from: 'SELECT * INTO l FROM services.sms_logs s WHERE s.id = p_id FOR NO KEY UPDATE;',
    to: `SELECT s.lane INTO v_lane FROM services.sms_logs s WHERE s.id = p_id;
    SELECT * INTO l FROM services.sms_logs s WHERE s.lane = v_lane AND s.id = p_id FOR NO KEY UPDATE;`,
  },
  {
    of: 'services.decide_sms',
    from: '     WHERE s.id = p_id;\n',
    to: '     WHERE s.lane = v_lane AND s.id = p_id;\n',
  },
  // Of CASE x WHEN y, where x is known, Citus sends the node that has the row something else: "text = boolean".
  { of: 'services.decide_sms', from: 'CASE p_decision WHEN ', to: 'CASE WHEN p_decision = ' },
  { of: 'services.decide_sms', from: 'CASE p_decision\n', to: 'CASE\n' },
  { of: 'services.decide_sms', from: ` WHEN 'failed'`, to: ` WHEN p_decision = 'failed'` },
  { of: 'services.decide_sms', from: ` WHEN 'send_again'`, to: ` WHEN p_decision = 'send_again'` },
  {
    of: 'services.decide_sms',
    from: `(sms_id, kind, attempt, actor, detail)
    VALUES (p_id,`,
    to: `(lane, sms_id, kind, attempt, actor, detail)
    VALUES (v_lane, p_id,`,
  },
  {
    of: 'services.decide_sms',
    from: 'PERFORM services.fold_delivery(ARRAY[p_id]);',
    to: `PERFORM lanes.note_message_ids(p_message_ids => ARRAY[p_message_id], p_ids => ARRAY[p_id], p_lanes => ARRAY[v_lane]);
        PERFORM lanes.fold_delivery(p_ids => ARRAY[p_id], p_lanes => ARRAY[v_lane]);`,
  },
  // ---- Delivery reports ----
  {
    of: 'services.record_delivery_report',
    from: '    l            services.sms_logs;\n',
    to: `    l            services.sms_logs;
    v_lane       constant smallint := core.lane_of(coalesce(v_message_id, ''));
`,
  },
  {
    of: 'services.record_delivery_report',
    from: `          FROM services.sms_logs s
         WHERE s.provider_message_id = v_message_id AND`,
    to: `          FROM lanes.messages_of(v_message_id) s
         WHERE`,
  },
  {
    of: 'services.record_delivery_report',
    from: `              FROM services.sms_logs s
             WHERE s.id = v_ids[1] AND s.provider_message_id = v_message_id
               FOR NO KEY UPDATE;`,
    to: `              FROM lanes.messages_of(v_message_id) s
             WHERE s.id = v_ids[1];`,
  },
  {
    of: 'services.record_delivery_report',
    from: `INSERT INTO services.sms_delivery_reports (
        id,`,
    to: `INSERT INTO services.sms_delivery_reports (
        lane, id,`,
  },
  {
    of: 'services.record_delivery_report',
    from: `    VALUES (
        id,`,
    to: `    VALUES (
        v_lane, id,`,
  },
  {
    of: 'services.record_delivery_report',
    from: 'PERFORM services.fold_delivery(ARRAY[l.id]);',
    to: 'PERFORM lanes.fold_delivery(p_ids => ARRAY[l.id], p_lanes => ARRAY[l.lane]);',
  },
  {
    of: 'services.fold_delivery',
    from: 'DECLARE\n',
    to: 'DECLARE\n    d     record;\n    v_why text;\n',
  },
  { of: 'services.fold_delivery', from: LOST, to: ' v_why' },
  {
    of: 'services.fold_delivery',
    from: '    UPDATE services.sms_logs l\n',
    to: `    FOR d IN SELECT x.* FROM lanes.deliveries_of(p_ids => p_ids, p_lanes => p_lanes) AS x LOOP
    v_why := ${LOST.trimStart()};
    UPDATE services.sms_logs l
`,
  },
  {
    of: 'services.fold_delivery',
    from: `
      FROM (
        SELECT s.id, r.*, s.phase <> 'SENDING' AND r.rank >= 10 AS decides, r.rank BETWEEN 60 AND 99 AS is_lost
          FROM services.sms_logs s
         CROSS JOIN LATERAL services.delivery_of(
             p_provider => s.provider, p_message_id => s.provider_message_id, p_recipient => s.recipient
         ) r
         WHERE s.id = ANY (p_ids)
      ) d
     WHERE l.id = d.id;
`,
    to: `
     WHERE l.lane = d.lane AND l.id = d.id;
    END LOOP;
`,
  },
  // A query of an SQL function with a parameter cannot be planned for many nodes.
  {
    of: 'services.delivery_of',
    from: ' LANGUAGE sql\n STABLE\nAS $function$\n',
    to: ` LANGUAGE plpgsql
 STABLE
AS $function$
#variable_conflict use_column
DECLARE
    v_lane constant smallint := core.lane_of(coalesce(p_message_id, ''));
BEGIN
    SELECT x.*
      INTO rank, state, status, reason, explanation, network, received_at
      FROM (
`,
  },
  {
    of: 'services.delivery_of',
    from: 'WHERE n.provider_message_id',
    to: 'WHERE n.lane = v_lane AND n.provider_message_id',
  },
  {
    of: 'services.delivery_of',
    from: 'WHERE r.provider_message_id',
    to: 'WHERE r.lane = v_lane AND r.provider_message_id',
  },
  {
    of: 'services.delivery_of',
    from: `              r.received_at
     LIMIT 1
`,
    to: `              r.received_at
     LIMIT 1
      ) x;
    IF FOUND THEN
        RETURN NEXT;
    END IF;
END
`,
  },
];
