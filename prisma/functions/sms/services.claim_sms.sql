-- Claims messages for a sender: the claim is the record of their attempts, committed before a request leaves.
--
-- p_limit:      how many requests can leave at once.
-- p_lease_ms:   how long an attempt may take until others take its outcome for unknown.
-- p_max_age_ms: older news is not sent; counted from a person's decision to send again, if there is one.
-- p_budget:     for the day in East Africa Time, in p_currency; NULL for none. When it is spent, messages of priority 1
--               wait. What is under way is not counted yet, so it can be overspent by that.
--
-- After: up to p_limit rows are SENDING, the important first and the longest due first, each with its attempt counted
--        and a lease. What must not be sent is FAILED with its reason: expired, opted_out (unimportant news to somebody
--        who wants none), no_recipient, attempts_exhausted (as often as can be counted).
--
-- The first row is about the claim and has no id: failed (how many), paused, warned (four fifths of the budget are
-- spent), spent, and next_due_ms: 0 when there may be more now, NULL when nothing waits at all.
--
-- The settings: the planner takes p_limit for a tenth of all that waits. When much does, it would read and sort all of
-- that, and the whole table beside it, for a few rows that two indexes name.
CREATE OR REPLACE FUNCTION services.claim_sms(
    p_sender text, p_provider text, p_limit integer, p_lease_ms integer, p_max_age_ms bigint, p_budget numeric,
    p_currency text
)
RETURNS TABLE (
    id uuid, attempt integer, recipient text, recipient_hash text, message text, template text, language text,
    priority integer, transaction_reference text, created_at timestamp,
    failed integer, paused boolean, warned boolean, spent numeric, next_due_ms bigint
)
LANGUAGE plpgsql
VOLATILE
SET search_path = pg_catalog, pg_temp
SET plan_cache_mode = force_generic_plan
SET enable_seqscan = off
SET enable_bitmapscan = off
SET enable_sort = off
SET enable_hashjoin = off
SET enable_mergejoin = off
SET jit = off
AS $$
#variable_conflict use_column
DECLARE
    c_failures constant integer := 10000; -- in one call; a mountain of old news must not make one endless
    -- Rounded as the columns are: what is due at this very moment is due.
    v_now      constant timestamp(3) := clock_timestamp() AT TIME ZONE 'UTC';
    v_oldest   constant timestamp := v_now - p_max_age_ms * interval '1 millisecond';
    v_all      uuid[] := '{}';
    v_claimed  uuid[];
    v_left     integer := p_limit;
    v_picked   integer;
    v_lost     integer;
    v_next     timestamp;
BEGIN
    failed := 0; paused := false; warned := false;
    IF p_budget IS NOT NULL THEN
        spent := coalesce((
            SELECT s.cost FROM services.sms_spend s WHERE s.day = services.eat_day(v_now) AND s.currency = p_currency
        ), 0);
        paused := spent >= p_budget;
        warned := spent >= p_budget * 0.8;
    END IF;

    FOR v_priority IN 0 .. CASE WHEN paused THEN 0 ELSE 1 END LOOP
        LOOP
            EXIT WHEN v_left = 0 OR failed >= c_failures;
            PERFORM set_config('daftari.door', 'open', true);
            WITH picked AS MATERIALIZED (
                SELECT l.id,
                       CASE
                           WHEN coalesce(l.recipient, '') = '' AND l.recipient_hash IS NULL THEN 'no_recipient'
                           -- What the column holds: one more would fail the claim, and with it all others.
                           WHEN l.attempts = 32767 THEN 'attempts_exhausted'
                           WHEN coalesce(l.decided_at, l.created_at) < v_oldest THEN 'expired'
                           WHEN v_priority = 1 AND (
                               EXISTS (SELECT 1 FROM services.sms_opt_outs o WHERE o.number = l.recipient)
                               OR EXISTS (SELECT 1 FROM services.sms_opt_outs o WHERE o.number_hash = l.recipient_hash)
                           ) THEN 'opted_out'
                       END AS refusal
                  FROM services.sms_logs l
                 WHERE l.phase = 'QUEUED' AND l.priority = v_priority AND l.next_attempt_at <= v_now
                 ORDER BY l.next_attempt_at
                 LIMIT v_left
                   FOR NO KEY UPDATE OF l SKIP LOCKED
            ), changed AS (
                UPDATE services.sms_logs l
                   SET phase = CASE WHEN k.refusal IS NULL THEN 'SENDING' ELSE 'DONE' END,
                       status = CASE WHEN k.refusal IS NULL THEN 'PENDING' ELSE 'FAILED' END,
                       attempts = CASE WHEN k.refusal IS NULL THEN l.attempts + 1 ELSE l.attempts END,
                       claimed_by = CASE WHEN k.refusal IS NULL THEN p_sender ELSE l.claimed_by END,
                       claimed_at = CASE WHEN k.refusal IS NULL THEN v_now ELSE l.claimed_at END,
                       provider = CASE WHEN k.refusal IS NULL THEN p_provider ELSE l.provider END,
                       lease_until = CASE WHEN k.refusal IS NULL THEN v_now + p_lease_ms * interval '1 millisecond' END,
                       answered_at = CASE WHEN k.refusal IS NULL THEN NULL ELSE l.answered_at END,
                       settled_at = CASE WHEN k.refusal IS NULL THEN NULL ELSE v_now END,
                       error_code = coalesce(k.refusal, l.error_code),
                       error_message = CASE k.refusal
                           WHEN 'no_recipient' THEN 'There is no number to send it to.'
                           WHEN 'attempts_exhausted' THEN 'It was tried as often as can be counted.'
                           WHEN 'expired' THEN 'It was too old to be news when its turn came.'
                           WHEN 'opted_out' THEN 'The holder of this number wants no messages of this kind.'
                           ELSE l.error_message
                       END
                  FROM picked k
                 WHERE l.id = k.id
                RETURNING l.id, k.refusal
            )
            SELECT array_agg(c.id) FILTER (WHERE c.refusal IS NULL), count(*), count(c.refusal)
              INTO v_claimed, v_picked, v_lost
              FROM changed c;
            PERFORM set_config('daftari.door', '', true);
            v_all := v_all || v_claimed;
            v_left := v_left - (v_picked - v_lost);
            failed := failed + v_lost;
            -- Nothing was thrown away, so nothing more is due.
            EXIT WHEN v_lost = 0;
        END LOOP;
    END LOOP;

    IF v_left = 0 OR failed >= c_failures THEN
        next_due_ms := 0;
    ELSE
        -- What is due now somebody else has just locked; the unimportant of a spent day waits for the next one.
        SELECT min(n.at) INTO v_next
          FROM (
            SELECT (
                SELECT l.next_attempt_at FROM services.sms_logs l
                 WHERE l.phase = 'QUEUED' AND l.priority = 0 AND l.next_attempt_at > v_now
                 ORDER BY l.next_attempt_at LIMIT 1
            ) AS at
            UNION ALL
            SELECT (
                SELECT CASE
                           WHEN paused THEN greatest(
                               l.next_attempt_at,
                               (services.eat_day(v_now) + 1)::timestamp - interval '3 hours'
                           )
                           ELSE l.next_attempt_at
                       END
                  FROM services.sms_logs l
                 WHERE l.phase = 'QUEUED' AND l.priority = 1
                   AND l.next_attempt_at > CASE WHEN paused THEN '-infinity' ELSE v_now END
                 ORDER BY l.next_attempt_at LIMIT 1
            )
          ) n;
        next_due_ms := ceil(extract(epoch FROM v_next - v_now) * 1000);
    END IF;

    RETURN NEXT;
    RETURN QUERY
    SELECT l.id, l.attempts::integer, l.recipient::text, l.recipient_hash::text, l.message, l.template::text,
           l.language::text, l.priority::integer, l.transaction_reference::text, l.created_at::timestamp,
           NULL::integer, NULL::boolean, NULL::boolean, NULL::numeric, NULL::bigint
      FROM services.sms_logs l
     WHERE l.id = ANY (v_all);
END
$$;
