-- Records what came of attempts, each once, with what it cost, in one round trip.
--
-- Arrays of equal length, one element an attempt. p_outcomes:
--   accepted  the provider has it
--   refused   it never will
--   retry     it certainly was not sent; after p_retry_ms it may be tried again
--   unknown   it may have been sent
--
-- Before: nothing is locked; the caller's transaction is READ COMMITTED.
-- After:  one row an element, in no order. result:
--   settled  the attempt was under way
--   late     its outcome was taken for unknown before. An answer that comes late resolves what waits for a person, stops
--            what a person has put back into the queue, and completes what was resolved otherwise. What was charged is
--            booked even when the next attempt has begun.
--   ignored  this attempt has its answer already, or there was none
-- Reports that came before the answer are joined. Costs are added to the message and to the day's spending.
--
-- Locks, in this order for everybody: the providers' ids, the messages by id, the day's spending.
CREATE OR REPLACE FUNCTION services.settle_sms(
    p_ids uuid[], p_attempts integer[], p_outcomes text[], p_message_ids text[], p_costs numeric[], p_currencies text[],
    p_parts integer[], p_expected_parts integer[], p_encodings text[], p_texts text[], p_error_codes text[],
    p_error_messages text[], p_retry_ms bigint[]
)
RETURNS TABLE (ord integer, result text, status text)
LANGUAGE plpgsql
VOLATILE
SET search_path = pg_catalog, pg_temp
SET plan_cache_mode = force_generic_plan
SET enable_seqscan = off
SET jit = off
AS $$
#variable_conflict use_column
DECLARE
    n        constant integer := coalesce(array_length(p_ids, 1), 0);
    v_now    constant timestamp(3) := clock_timestamp() AT TIME ZONE 'UTC';
    v_ords   integer[];
    v_was    text[]; -- the phases before
    v_fold   uuid[];
    v_after  integer[]; -- elements whose answer came after the next attempt began
BEGIN
    -- ---- 1. Locks: the providers' ids, then the messages ----

    IF EXISTS (
        SELECT 1 FROM unnest(p_outcomes) AS t (outcome)
         WHERE t.outcome IS NULL OR t.outcome NOT IN ('accepted', 'refused', 'retry', 'unknown')
    ) THEN
        RAISE EXCEPTION 'an outcome is accepted, refused, retry or unknown' USING ERRCODE = '22023';
    END IF;
    SELECT array_agg(nullif(left(btrim(t.id), 255), '') ORDER BY t.ord)
      INTO p_message_ids
      FROM unnest(p_message_ids) WITH ORDINALITY AS t (id, ord);
    PERFORM services.lock_message_ids(p_message_ids => p_message_ids, p_exclusive => false);
    PERFORM 1 FROM services.sms_logs l WHERE l.id = ANY (p_ids) ORDER BY l.id FOR NO KEY UPDATE;

    -- ---- 2. Answers to attempts that are under way or of unknown outcome ----

    PERFORM set_config('daftari.door', 'open', true);
    WITH answers AS MATERIALIZED (
        SELECT DISTINCT ON (s.id)
               t.ord, t.outcome, t.message_id, round(t.cost, 4) AS cost, t.currency, t.parts, t.expected_parts,
               t.encoding, t.text, left(t.error_code, 40) AS error_code, t.error_message, t.retry_ms,
               s.id, s.phase AS was,
               CASE
                   WHEN t.outcome IN ('accepted', 'refused') THEN 'DONE'
                   WHEN t.outcome = 'unknown' THEN 'UNKNOWN'
                   WHEN s.phase IN ('SENDING', 'UNKNOWN') THEN 'QUEUED'
                   ELSE s.phase
               END AS phase,
               -- Money of two kinds cannot be added up in one column: the day's spending has both.
               t.outcome <> 'unknown' AND t.cost IS NOT NULL
                   AND (coalesce(s.cost, 0) = 0 OR s.currency IS NOT DISTINCT FROM t.currency) AS adds_cost
          FROM unnest(
            p_ids, p_attempts, p_outcomes, p_message_ids, p_costs, p_currencies, p_parts, p_expected_parts, p_encodings,
            p_texts, p_error_codes, p_error_messages, p_retry_ms
          ) WITH ORDINALITY AS t (
            id, attempt, outcome, message_id, cost, currency, parts, expected_parts, encoding,
            text, error_code, error_message, retry_ms, ord
          )
          JOIN services.sms_logs s ON s.id = t.id AND s.attempts = t.attempt
         WHERE s.attempts > 0 AND s.answered_at IS NULL AND (t.outcome <> 'unknown' OR s.phase = 'SENDING')
         ORDER BY s.id, t.ord
    ), changed AS (
        UPDATE services.sms_logs l
           SET phase = a.phase,
               status = CASE
                   WHEN a.outcome = 'accepted' THEN 'SENT'
                   WHEN a.outcome = 'refused' THEN 'FAILED'
                   ELSE l.status
               END,
               answered_at = CASE WHEN a.outcome = 'unknown' THEN NULL ELSE v_now END,
               lease_until = NULL,
               next_attempt_at = CASE
                   WHEN a.phase = 'QUEUED' AND a.was <> 'QUEUED' THEN v_now + a.retry_ms * interval '1 millisecond'
                   ELSE l.next_attempt_at
               END,
               provider_message_id = coalesce(a.message_id, l.provider_message_id),
               cost = CASE WHEN a.adds_cost THEN coalesce(l.cost, 0) + a.cost ELSE l.cost END,
               currency = CASE WHEN a.adds_cost THEN a.currency ELSE l.currency END,
               parts = CASE WHEN a.outcome = 'accepted' THEN coalesce(l.parts + a.parts, a.parts, l.parts) ELSE l.parts END,
               expected_parts = coalesce(a.expected_parts, l.expected_parts),
               encoding = coalesce(left(a.encoding, 10), l.encoding),
               message = coalesce(a.text, l.message),
               -- What is known of the delivery is known of another id.
               delivery_state = CASE WHEN a.message_id <> l.provider_message_id THEN NULL ELSE l.delivery_state END,
               delivery_status = CASE WHEN a.message_id <> l.provider_message_id THEN NULL ELSE l.delivery_status END,
               delivery_reason = CASE WHEN a.message_id <> l.provider_message_id THEN NULL ELSE l.delivery_reason END,
               delivered_at = CASE WHEN a.message_id <> l.provider_message_id THEN NULL ELSE l.delivered_at END,
               sent_at = CASE a.outcome
                   WHEN 'accepted' THEN coalesce(l.sent_at, l.claimed_at)
                   WHEN 'refused' THEN NULL
                   ELSE l.sent_at
               END,
               settled_at = CASE WHEN a.phase = 'DONE' THEN coalesce(l.settled_at, v_now) END,
               error_code = CASE
                   WHEN a.outcome = 'accepted' THEN NULL
                   WHEN a.outcome = 'retry' AND a.phase <> 'QUEUED' THEN l.error_code
                   ELSE coalesce(a.error_code, a.outcome)
               END,
               error_message = CASE
                   WHEN a.outcome = 'accepted' THEN NULL
                   WHEN a.outcome = 'retry' AND a.phase <> 'QUEUED' THEN l.error_message
                   ELSE a.error_message
               END
          FROM answers a
         WHERE l.id = a.id
        RETURNING a.ord, a.was, l.id, l.provider_message_id AS message_id
    )
    SELECT array_agg(c.ord), array_agg(c.was),
           array_agg(c.id) FILTER (
               WHERE EXISTS (SELECT 1 FROM services.sms_delivery_reports r WHERE r.provider_message_id = c.message_id)
           )
      INTO v_ords, v_was, v_fold
      FROM changed c;
    PERFORM set_config('daftari.door', '', true);
    IF v_fold IS NOT NULL THEN
        PERFORM services.fold_delivery(v_fold);
    END IF;

    -- ---- 3. Answers that come after the next attempt has begun ----

    IF coalesce(array_length(v_ords, 1), 0) < n AND 'accepted' = ANY (p_outcomes) THEN
        v_after := services.settle_late_sms(
            p_now => v_now, p_ids => p_ids, p_attempts => p_attempts, p_outcomes => p_outcomes,
            p_message_ids => p_message_ids, p_costs => p_costs, p_currencies => p_currencies, p_parts => p_parts
        );
    END IF;

    -- ---- 4. The record: events for what is out of the ordinary, the answer, the day's spending ----

    PERFORM set_config('daftari.door', 'open', true);
    INSERT INTO services.sms_events (sms_id, kind, attempt, detail)
    SELECT p_ids[t.ord],
           CASE WHEN t.was <> 'SENDING' THEN 'LATE_ANSWER' WHEN p_outcomes[t.ord] = 'retry' THEN 'RETRY' ELSE 'UNKNOWN' END,
           p_attempts[t.ord],
           concat_ws(', ', p_outcomes[t.ord], p_error_codes[t.ord], p_error_messages[t.ord])
      FROM unnest(v_ords, v_was) AS t (ord, was)
     WHERE t.was <> 'SENDING' OR p_outcomes[t.ord] IN ('retry', 'unknown')
    ON CONFLICT (sms_id, attempt) WHERE kind = 'LATE_ANSWER' DO NOTHING;
    PERFORM set_config('daftari.door', '', true);

    RETURN QUERY
    SELECT t.ord::integer,
           CASE
               WHEN t.ord = ANY (v_after) THEN 'late'
               WHEN w.was IS NULL THEN 'ignored'
               WHEN w.was = 'SENDING' THEN 'settled'
               ELSE 'late'
           END,
           l.status::text
      FROM unnest(p_ids) WITH ORDINALITY AS t (id, ord)
      LEFT JOIN unnest(v_ords, v_was) AS w (ord, was) ON w.ord = t.ord
      LEFT JOIN services.sms_logs l ON l.id = t.id;

    v_ords := v_ords || v_after;
    PERFORM services.add_sms_spend(
        p_at => v_now, p_currencies => array_agg(p_currencies[t.ord]),
        p_messages => array_agg(CASE WHEN p_outcomes[t.ord] = 'accepted' THEN 1 ELSE 0 END),
        p_parts => array_agg(CASE WHEN p_outcomes[t.ord] = 'accepted' THEN p_parts[t.ord] END),
        p_costs => array_agg(CASE WHEN p_outcomes[t.ord] <> 'unknown' THEN p_costs[t.ord] END)
    )
       FROM unnest(v_ords) AS t (ord);
END
$$;
