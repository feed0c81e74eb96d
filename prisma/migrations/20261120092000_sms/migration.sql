-- SMS: an outbox that several senders share, the texts of what customers hear, reports of delivery and a book of what is spent.
--
-- Before: services.sms_logs holds PENDING messages that nobody sends.
-- After:  each message has a phase, an attempt under a lease, what the provider answered and what the network reported;
--         services.sms_delivery_reports keeps every report as received, services.sms_events what seldom happens to a
--         message, services.sms_spend the cost by day, services.sms_opt_outs who wants no news. Texts are rows of
--         services.sms_templates. Transfers, captures, reversals and assignments queue their messages themselves.
--         No table is rewritten: every new column has a constant default or none. Code that knows the specified columns
--         only goes on working; what it marks SENT or FAILED leaves the queue by a trigger.

ALTER TABLE services.sms_logs
    -- A payer whose number came masked or hashed has none.
    ALTER COLUMN recipient DROP NOT NULL,
    ADD COLUMN transaction_reference VARCHAR(50),
    ADD COLUMN template VARCHAR(40) NOT NULL DEFAULT 'message',
    ADD COLUMN language CHAR(2) NOT NULL DEFAULT 'en',
    -- 0: money moved. 1: can wait, and stops when the day's budget is spent.
    ADD COLUMN priority SMALLINT NOT NULL DEFAULT 0,
    -- SHA-256 of the number, where that is all that is known.
    ADD COLUMN recipient_hash VARCHAR(64),
    ADD COLUMN phase VARCHAR(10) NOT NULL DEFAULT 'QUEUED',
    ADD COLUMN attempts SMALLINT NOT NULL DEFAULT 0,
    ADD COLUMN next_attempt_at TIMESTAMP(3) NOT NULL DEFAULT (now() AT TIME ZONE 'UTC'),
    -- The attempt: who makes it, through whom, since when, and until when nobody else may judge it.
    ADD COLUMN claimed_by VARCHAR(64),
    ADD COLUMN claimed_at TIMESTAMP(3),
    ADD COLUMN lease_until TIMESTAMP(3),
    ADD COLUMN provider VARCHAR(30),
    -- When the provider's answer to this attempt was recorded; it is recorded once.
    ADD COLUMN answered_at TIMESTAMP(3),
    ADD COLUMN currency CHAR(3),
    ADD COLUMN expected_parts SMALLINT,
    ADD COLUMN parts SMALLINT,
    ADD COLUMN encoding VARCHAR(10),
    ADD COLUMN network VARCHAR(20),
    ADD COLUMN error_code VARCHAR(40),
    -- What the report that counts means in our words, and the provider's own.
    ADD COLUMN delivery_state VARCHAR(20),
    ADD COLUMN delivery_status VARCHAR(50),
    ADD COLUMN delivery_reason VARCHAR(100),
    ADD COLUMN delivery_updated_at TIMESTAMP(3),
    ADD COLUMN delivered_at TIMESTAMP(3),
    ADD COLUMN sent_at TIMESTAMP(3),
    ADD COLUMN settled_at TIMESTAMP(3),
    -- The last decision of a person on a message of unknown outcome.
    ADD COLUMN decided_by VARCHAR(100),
    ADD COLUMN decided_at TIMESTAMP(3),
    ADD COLUMN decision_note TEXT,
    -- Which message a repeated key asked for, also when its text has been sent and spelt in other letters.
    ADD COLUMN request_digest VARCHAR(64);

-- No release has sent anything yet: these are rows that somebody has marked by hand.
UPDATE services.sms_logs SET phase = 'DONE', settled_at = created_at WHERE status <> 'PENDING';

ALTER TABLE services.sms_logs
    ADD CONSTRAINT sms_logs_phase_check CHECK (
        CASE phase
            WHEN 'QUEUED' THEN status = 'PENDING'
            WHEN 'SENDING' THEN status = 'PENDING'
            WHEN 'UNKNOWN' THEN status = 'PENDING'
            WHEN 'DONE' THEN status <> 'PENDING'
            ELSE false
        END
    ),
    ADD CONSTRAINT sms_logs_lease_check CHECK ((phase = 'SENDING') = (lease_until IS NOT NULL)),
    ADD CONSTRAINT sms_logs_attempt_check CHECK (
        phase NOT IN ('SENDING', 'UNKNOWN')
        OR attempts > 0 AND provider IS NOT NULL AND claimed_at IS NOT NULL
    ),
    ADD CONSTRAINT sms_logs_priority_check CHECK (priority IN (0, 1)),
    ADD CONSTRAINT sms_logs_language_check CHECK (language IN ('en', 'sw')),
    -- A queue lives at one end of a large table. By its own measure autovacuum would come after a fifth of all messages
    -- ever sent is dead; until then the claim walks over the dead entries of what was sent before.
    SET (
        autovacuum_vacuum_scale_factor = 0.01, autovacuum_vacuum_threshold = 10000,
        autovacuum_analyze_scale_factor = 0.02, autovacuum_vacuum_cost_delay = 1
    );

-- What can be claimed, the important first and the longest due first. Only what waits is in it.
CREATE INDEX sms_logs_claim_idx ON services.sms_logs (priority, next_attempt_at) WHERE phase = 'QUEUED';
CREATE INDEX sms_logs_lease_idx ON services.sms_logs (lease_until) WHERE phase = 'SENDING';
CREATE INDEX sms_logs_unknown_idx ON services.sms_logs (claimed_at) WHERE phase = 'UNKNOWN';
-- Not unique: an id comes from a provider, and theirs have been seen twice.
CREATE INDEX sms_logs_provider_message_id_idx ON services.sms_logs (provider_message_id)
    WHERE provider_message_id IS NOT NULL;

CREATE INDEX sms_logs_reference_idx ON services.sms_logs (transaction_reference);

CREATE TABLE services.sms_delivery_reports (
    id UUID NOT NULL DEFAULT core.new_id(),
    provider VARCHAR(30) NOT NULL,
    -- What could be read of it; NULL where nothing could.
    provider_message_id VARCHAR(255),
    -- What it means in our words.
    state VARCHAR(20),
    -- The provider's own words, and the reason in a sentence of ours.
    status VARCHAR(50),
    reason VARCHAR(100),
    explanation VARCHAR(200),
    network VARCHAR(20),
    retry_count INTEGER,
    phone VARCHAR(20),
    -- The message that it was found to be about when it came.
    sms_id UUID,
    outcome VARCHAR(20) NOT NULL,
    -- The bytes as received.
    body BYTEA NOT NULL,
    received_at TIMESTAMP(3) NOT NULL DEFAULT (now() AT TIME ZONE 'UTC'),

    CONSTRAINT sms_delivery_reports_pkey PRIMARY KEY (id),
    CONSTRAINT sms_delivery_reports_outcome_check
        CHECK (outcome IN ('APPLIED', 'STALE', 'PARKED', 'MISMATCHED', 'AMBIGUOUS', 'QUARANTINED')),
    CONSTRAINT sms_delivery_reports_state_check CHECK (
        state IN (
            'unknown', 'accepted', 'submitted', 'buffered', 'absent', 'rejected', 'failed', 'expired', 'delivered'
        )
    )
);

CREATE INDEX sms_delivery_reports_message_idx ON services.sms_delivery_reports (provider_message_id)
    WHERE provider_message_id IS NOT NULL;
-- Whose reports nobody has claimed yet: they are suggested for messages of unknown outcome.
CREATE INDEX sms_delivery_reports_parked_idx ON services.sms_delivery_reports (phone, received_at)
    WHERE outcome = 'PARKED';

-- What seldom happens to a message: a retry, an unknown outcome, a person's decision, an answer after all. A message
-- that is sent and delivered leaves no row here.
CREATE TABLE services.sms_events (
    id UUID NOT NULL DEFAULT core.new_id(),
    sms_id UUID NOT NULL,
    kind VARCHAR(20) NOT NULL,
    attempt SMALLINT NOT NULL,
    -- Who decided; NULL where nobody did.
    actor VARCHAR(100),
    detail TEXT,
    created_at TIMESTAMP(3) NOT NULL DEFAULT (now() AT TIME ZONE 'UTC'),

    CONSTRAINT sms_events_pkey PRIMARY KEY (id),
    CONSTRAINT sms_events_kind_check CHECK (kind IN ('RETRY', 'UNKNOWN', 'DECIDED', 'LATE_ANSWER'))
);

CREATE INDEX sms_events_sms_id_idx ON services.sms_events (sms_id);
-- An attempt is answered once, also when the answer comes after the next attempt has begun.
CREATE UNIQUE INDEX sms_events_late_answer_key ON services.sms_events (sms_id, attempt)
    WHERE kind = 'LATE_ANSWER';

-- What was charged, by the day in East Africa Time on which the answer came.
CREATE TABLE services.sms_spend (
    day DATE NOT NULL,
    -- XXX, which ISO 4217 gives to "no currency", where the provider named none.
    currency CHAR(3) NOT NULL,
    messages BIGINT NOT NULL DEFAULT 0,
    parts BIGINT NOT NULL DEFAULT 0,
    cost DECIMAL(19,4) NOT NULL DEFAULT 0,

    CONSTRAINT sms_spend_pkey PRIMARY KEY (day, currency)
)
-- One row takes all updates of a day: room for them on its page, and a vacuum that comes while the page is still one.
WITH (fillfactor = 20, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 500);

CREATE TABLE services.sms_opt_outs (
    -- Digits, as in sms_logs.recipient.
    number VARCHAR(20) NOT NULL,
    -- The name that messages come from; '' where the report named none.
    sender_id VARCHAR(20) NOT NULL DEFAULT '',
    -- SHA-256 of the number, by which a message to a hashed number is stopped as well.
    number_hash VARCHAR(64) NOT NULL,
    opted_out_at TIMESTAMP(3) NOT NULL DEFAULT (now() AT TIME ZONE 'UTC'),

    CONSTRAINT sms_opt_outs_pkey PRIMARY KEY (number, sender_id)
);

CREATE INDEX sms_opt_outs_number_hash_idx ON services.sms_opt_outs (number_hash);

CREATE TABLE services.sms_templates (
    key VARCHAR(40) NOT NULL,
    language CHAR(2) NOT NULL,
    text TEXT NOT NULL,
    formats TEXT[] NOT NULL,
    changed_at TIMESTAMP(3) NOT NULL DEFAULT (now() AT TIME ZONE 'UTC'),

    CONSTRAINT sms_templates_pkey PRIMARY KEY (key, language),
    CONSTRAINT sms_templates_language_check CHECK (language IN ('en', 'sw')),
    CONSTRAINT sms_templates_formats_check CHECK (cardinality(formats) = 4)
);

CREATE TABLE services.sms_template_changes (
    id UUID NOT NULL DEFAULT core.new_id(),
    key VARCHAR(40) NOT NULL,
    language CHAR(2) NOT NULL,
    text TEXT NOT NULL,
    changed_by VARCHAR(100) NOT NULL,
    reason TEXT NOT NULL,
    created_at TIMESTAMP(3) NOT NULL DEFAULT (now() AT TIME ZONE 'UTC'),

    CONSTRAINT sms_template_changes_pkey PRIMARY KEY (id)
);

CREATE INDEX sms_template_changes_key_idx ON services.sms_template_changes (key, language, created_at);

-- When a wallet was last told that something was refused: it is told once an hour.
CREATE TABLE services.sms_last_told (
    wallet_id VARCHAR(20) NOT NULL,
    template VARCHAR(40) NOT NULL,
    told_at TIMESTAMP(3) NOT NULL,

    CONSTRAINT sms_last_told_pkey PRIMARY KEY (wallet_id, template)
);

-- ==== functions: written by db:migration, edit prisma/functions instead ====

-- The day in East Africa Time, which is three hours ahead of UTC and knows no summer time, of a moment in UTC.
CREATE OR REPLACE FUNCTION services.eat_day(p_at timestamp)
RETURNS date
LANGUAGE sql
IMMUTABLE
PARALLEL SAFE
AS $$
    SELECT (p_at + interval '3 hours')::date
$$;

-- Adds charges to the spending of the day of p_at in East Africa Time. One element a charge; elements without a cost, and
-- refusals that cost nothing, are ignored. Every sender writes the same row, so this is the last thing that a
-- transaction does.
CREATE OR REPLACE FUNCTION services.add_sms_spend(
    p_at timestamp, p_currencies text[], p_messages integer[], p_parts integer[], p_costs numeric[]
)
RETURNS void
LANGUAGE plpgsql
VOLATILE
AS $$
BEGIN
    PERFORM set_config('daftari.door', 'open', true);
    INSERT INTO services.sms_spend AS s (day, currency, messages, parts, cost)
    SELECT services.eat_day(p_at), coalesce(t.currency, 'XXX'), sum(t.messages), coalesce(sum(t.parts), 0),
           sum(round(t.cost, 4))
      FROM unnest(p_currencies, p_messages, p_parts, p_costs) AS t (currency, messages, parts, cost)
     WHERE t.cost IS NOT NULL AND (t.cost <> 0 OR t.messages > 0)
     GROUP BY coalesce(t.currency, 'XXX')
     ORDER BY coalesce(t.currency, 'XXX')
    ON CONFLICT (day, currency) DO UPDATE
       SET messages = s.messages + excluded.messages, parts = s.parts + excluded.parts, cost = s.cost + excluded.cost;
    PERFORM set_config('daftari.door', '', true);
END
$$;

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

-- The forms of a text, ready for format(): the first without a name and a balance, the second with a name, the third
-- with a balance, the fourth with both. A part in square brackets is left out where its fact is missing. The arguments
-- are reference, amount, wallet, name, balance and reason, in this order.
--
-- format() fills in all of them at once, so what looks like a placeholder in a name stays what it is.
CREATE OR REPLACE FUNCTION services.compile_sms_template(p_text text)
RETURNS text[]
LANGUAGE sql
IMMUTABLE
PARALLEL SAFE
AS $$
    SELECT array_agg(
               replace(replace(replace(replace(replace(replace(translate(replace(
                   CASE WHEN f.without IS NULL THEN p_text ELSE regexp_replace(p_text, f.without, '', 'g') END,
                   '%', '%%'), '[]', ''),
                   '{reference}', '%1$s'), '{amount}', '%2$s'), '{wallet}', '%3$s'), '{name}', '%4$s'),
                   '{balance}', '%5$s'), '{reason}', '%6$s')
               ORDER BY f.ord
           )
      FROM (VALUES (1, '\[[^][]*\{(?:name|balance)\}[^][]*\]'), (2, '\[[^][]*\{balance\}[^][]*\]'),
                   (3, '\[[^][]*\{name\}[^][]*\]'), (4, NULL)) AS f (ord, without)
$$;

-- How much a delivery state counts. The higher one wins, so that reports may come in any order and the end is the same;
-- from 60 on it is final. A final "delivered" wins over a final "not delivered": the telephone has confirmed it.
--
-- The words are ours. A provider's folder translates its own; a word that it does not list is unknown and counts least.
CREATE OR REPLACE FUNCTION services.delivery_rank(p_state text)
RETURNS integer
LANGUAGE sql
IMMUTABLE
PARALLEL SAFE
AS $$
    SELECT CASE p_state
        WHEN 'unknown' THEN 0
        WHEN 'accepted' THEN 10 -- the provider has it
        WHEN 'submitted' THEN 20 -- the network has it
        WHEN 'buffered' THEN 30 -- it waits at the network
        WHEN 'absent' THEN 40 -- not final: the telephone may come back
        WHEN 'rejected' THEN 60
        WHEN 'failed' THEN 61
        WHEN 'expired' THEN 62
        WHEN 'delivered' THEN 100
    END
$$;

-- What the reports with a provider's id say together, whatever their order: one row, or none without reports.
--
-- p_recipient: the message's number, NULL where it has none. A report that names another number is about another
--              message, and one without a number counts.
--
-- The report of the highest rank counts, of equals the one whose words sort last. The network is the one that the
-- highest report with a network names.
CREATE OR REPLACE FUNCTION services.delivery_of(p_provider text, p_message_id text, p_recipient text)
RETURNS TABLE (
    rank integer, state text, status text, reason text, explanation text, network text, received_at timestamp
)
LANGUAGE sql
STABLE
AS $$
    SELECT services.delivery_rank(r.state), r.state, r.status, r.reason, r.explanation,
           (
               SELECT n.network
                 FROM services.sms_delivery_reports n
                WHERE n.provider_message_id = p_message_id AND n.provider = p_provider
                  AND n.outcome NOT IN ('QUARANTINED', 'AMBIGUOUS')
                  AND (n.phone IS NULL OR p_recipient IS NULL OR n.phone = p_recipient)
                  AND n.network IS NOT NULL
                ORDER BY services.delivery_rank(n.state) DESC, n.network COLLATE "C" DESC
                LIMIT 1
           ),
           r.received_at
      FROM services.sms_delivery_reports r
     WHERE r.provider_message_id = p_message_id AND r.provider = p_provider
       AND r.outcome NOT IN ('QUARANTINED', 'AMBIGUOUS')
       AND (r.phone IS NULL OR p_recipient IS NULL OR r.phone = p_recipient)
     ORDER BY services.delivery_rank(r.state) DESC, r.status COLLATE "C" DESC, r.reason COLLATE "C" DESC NULLS LAST,
              r.received_at
     LIMIT 1
$$;

-- Brings messages up to what the reports with their provider's id say.
--
-- Before: the rows are locked, and so is each provider's id (services.lock_message_ids).
-- After:  the delivery columns are those of services.delivery_of. A report whose state is known proves that the
--         provider has the message, so one that waits, for a person or to be sent again, is done; while a request may be
--         under way its answer is awaited. SENT means handed to the provider and not reported as lost: a final "not
--         delivered" makes it FAILED, because the customer did not get the message, and it must be among the failures.
--         What was charged stays charged.
CREATE OR REPLACE FUNCTION services.fold_delivery(p_ids uuid[])
RETURNS void
LANGUAGE plpgsql
VOLATILE
SET search_path = pg_catalog, pg_temp
SET plan_cache_mode = force_generic_plan
SET enable_seqscan = off
SET jit = off
AS $$
DECLARE
    v_now constant timestamp(3) := clock_timestamp() AT TIME ZONE 'UTC';
BEGIN
    PERFORM set_config('daftari.door', 'open', true);
    UPDATE services.sms_logs l
       SET delivery_state = d.state, delivery_status = d.status, delivery_reason = d.reason,
           delivery_updated_at = d.received_at,
           delivered_at = CASE WHEN d.rank = 100 THEN d.received_at END,
           network = d.network,
           phase = CASE WHEN d.decides THEN 'DONE' ELSE l.phase END,
           status = CASE WHEN NOT d.decides THEN l.status WHEN d.is_lost THEN 'FAILED' ELSE 'SENT' END,
           sent_at = CASE WHEN d.decides THEN coalesce(l.sent_at, l.claimed_at) ELSE l.sent_at END,
           settled_at = CASE WHEN d.decides THEN coalesce(l.settled_at, v_now) ELSE l.settled_at END,
           error_code = CASE WHEN NOT d.decides THEN l.error_code WHEN d.is_lost THEN 'undelivered' END,
           error_message = CASE
               WHEN NOT d.decides THEN l.error_message
               WHEN d.is_lost THEN concat_ws(
                   ' ', 'The network reported ' || d.status || coalesce(', ' || d.reason, '') || '.', d.explanation
               )
           END
      FROM (
        SELECT s.id, r.*, s.phase <> 'SENDING' AND r.rank >= 10 AS decides, r.rank BETWEEN 60 AND 99 AS is_lost
          FROM services.sms_logs s
         CROSS JOIN LATERAL services.delivery_of(
             p_provider => s.provider, p_message_id => s.provider_message_id, p_recipient => s.recipient
         ) r
         WHERE s.id = ANY (p_ids)
      ) d
     WHERE l.id = d.id;
    PERFORM set_config('daftari.door', '', true);
END
$$;

-- Keeps a report and the answer to the sending apart that carry the same provider's id and come at the same moment:
-- each would look for the other's row, which is not committed yet, and both would go on without it.
--
-- p_exclusive: true for a report, false for an answer. Answers need not wait for each other, so theirs is a shared lock.
--
-- After: locked until the transaction ends. The ids fall into 512 classes, locked in order, so that a large batch of
--        answers does not fill the server's table of locks.
CREATE OR REPLACE FUNCTION services.lock_message_ids(p_message_ids text[], p_exclusive boolean)
RETURNS void
LANGUAGE plpgsql
VOLATILE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    c_space constant integer := 1936553836; -- any number that no other advisory lock of ours uses
    v_class integer;
BEGIN
    FOR v_class IN
        SELECT DISTINCT hashtext(t.id) & 511 FROM unnest(p_message_ids) AS t (id) WHERE t.id IS NOT NULL ORDER BY 1
    LOOP
        IF p_exclusive THEN
            PERFORM pg_advisory_xact_lock(c_space, v_class);
        ELSE
            PERFORM pg_advisory_xact_lock_shared(c_space, v_class);
        END IF;
    END LOOP;
END
$$;

-- Records a person's decision on a message of unknown outcome.
--
-- p_decision: sent (with the provider's id and the cost where its own books have them), send_again, or failed.
-- After: NULL and it is done; or why it was not: unknown_sms, or nothing_to_decide when the outcome is known by now.
CREATE OR REPLACE FUNCTION services.decide_sms(
    p_id uuid, p_decision text, p_by text, p_note text, p_message_id text, p_cost numeric, p_currency text,
    p_parts integer
)
RETURNS text
LANGUAGE plpgsql
VOLATILE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    v_now constant timestamp(3) := clock_timestamp() AT TIME ZONE 'UTC';
    l     services.sms_logs;
BEGIN
    IF p_decision IS NULL OR p_decision NOT IN ('sent', 'send_again', 'failed') THEN
        RAISE EXCEPTION 'a decision is sent, send_again or failed' USING ERRCODE = '22023';
    END IF;
    IF p_decision <> 'sent' THEN
        p_message_id := NULL; p_cost := NULL;
    END IF;
    PERFORM services.lock_message_ids(p_message_ids => ARRAY[p_message_id], p_exclusive => false);
    SELECT * INTO l FROM services.sms_logs s WHERE s.id = p_id FOR NO KEY UPDATE;
    IF l.id IS NULL THEN
        RETURN 'unknown_sms';
    ELSIF l.phase <> 'UNKNOWN' THEN
        RETURN 'nothing_to_decide';
    END IF;

    PERFORM set_config('daftari.door', 'open', true);
    UPDATE services.sms_logs s
       SET phase = CASE p_decision WHEN 'send_again' THEN 'QUEUED' ELSE 'DONE' END,
           status = CASE p_decision WHEN 'sent' THEN 'SENT' WHEN 'failed' THEN 'FAILED' ELSE 'PENDING' END,
           next_attempt_at = CASE p_decision WHEN 'send_again' THEN v_now ELSE s.next_attempt_at END,
           provider_message_id = coalesce(p_message_id, s.provider_message_id),
           -- Who knows the cost has the provider's answer; another one would be booked twice.
           answered_at = CASE WHEN p_cost IS NOT NULL THEN v_now END,
           cost = CASE WHEN p_cost IS NOT NULL THEN coalesce(s.cost, 0) + round(p_cost, 4) ELSE s.cost END,
           currency = CASE WHEN p_cost IS NOT NULL THEN p_currency ELSE s.currency END,
           parts = CASE WHEN p_cost IS NOT NULL THEN coalesce(s.parts + p_parts, p_parts, s.parts) ELSE s.parts END,
           sent_at = CASE p_decision WHEN 'sent' THEN s.claimed_at END,
           settled_at = CASE p_decision WHEN 'send_again' THEN NULL ELSE v_now END,
           error_code = CASE p_decision WHEN 'failed' THEN 'given_up' WHEN 'send_again' THEN s.error_code END,
           error_message = CASE p_decision
               WHEN 'failed' THEN 'A person has decided that it was not sent and need not be.'
               WHEN 'send_again' THEN s.error_message
           END,
           decided_by = p_by, decided_at = v_now, decision_note = p_note
     WHERE s.id = p_id;
    INSERT INTO services.sms_events (sms_id, kind, attempt, actor, detail)
    VALUES (p_id, 'DECIDED', l.attempts, p_by, p_decision || ': ' || p_note);
    PERFORM set_config('daftari.door', '', true);
    IF p_message_id IS NOT NULL THEN
        PERFORM services.fold_delivery(ARRAY[p_id]);
    END IF;
    IF p_decision = 'send_again' THEN
        PERFORM pg_notify('daftari_sms', '');
    END IF;
    PERFORM services.add_sms_spend(
        p_at => v_now, p_currencies => ARRAY[p_currency], p_messages => ARRAY[1], p_parts => ARRAY[p_parts],
        p_costs => ARRAY[p_cost]
    );
    RETURN NULL;
END
$$;

-- Takes attempts whose lease is over for what they are: they may or may not have been sent, and are never sent again by
-- themselves. A late answer, a report or a person resolves them. Every sender may call it.
--
-- After: how many, p_limit at most.
CREATE OR REPLACE FUNCTION services.expire_sms_leases(p_limit integer)
RETURNS integer
LANGUAGE plpgsql
VOLATILE
SET search_path = pg_catalog, pg_temp
SET plan_cache_mode = force_generic_plan
SET enable_seqscan = off
SET jit = off
AS $$
DECLARE
    -- A value, not a call: what may change from row to row an index cannot look for.
    v_now   constant timestamp(3) := clock_timestamp() AT TIME ZONE 'UTC';
    v_count integer;
BEGIN
    PERFORM set_config('daftari.door', 'open', true);
    WITH due AS MATERIALIZED (
        SELECT l.id
          FROM services.sms_logs l
         WHERE l.phase = 'SENDING' AND l.lease_until <= v_now
         ORDER BY l.lease_until
         LIMIT p_limit
           FOR NO KEY UPDATE SKIP LOCKED
    ), changed AS (
        UPDATE services.sms_logs l
           SET phase = 'UNKNOWN', lease_until = NULL, error_code = 'lease_over',
               error_message = 'No answer was recorded in time: it may or may not have been sent.'
          FROM due d
         WHERE l.id = d.id
        RETURNING l.id, l.attempts, l.claimed_by
    )
    INSERT INTO services.sms_events (sms_id, kind, attempt, detail)
    SELECT c.id, 'UNKNOWN', c.attempts, 'lease_over, claimed by ' || c.claimed_by
      FROM changed c;
    GET DIAGNOSTICS v_count = ROW_COUNT;
    PERFORM set_config('daftari.door', '', true);
    RETURN v_count;
END
$$;

-- Trigger function: a message that somebody marks SENT or FAILED by its status alone leaves the queue.
--
-- The trigger calls it only for a row whose status is decided and whose phase says otherwise, so that code which knows
-- the specified columns only goes on working. The way back, from SENT to PENDING, is services.decide_sms.
CREATE OR REPLACE FUNCTION services.follow_sms_status()
RETURNS trigger
LANGUAGE plpgsql
AS $$
BEGIN
    NEW.phase := 'DONE';
    NEW.lease_until := NULL;
    NEW.settled_at := clock_timestamp() AT TIME ZONE 'UTC';
    RETURN NEW;
END
$$;

-- Takes a number off the list of those that want no unimportant messages, for all names, because its holder asked for
-- that. After: whether it was on it.
CREATE OR REPLACE FUNCTION services.forget_opt_out(p_number text)
RETURNS boolean
LANGUAGE plpgsql
VOLATILE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    v_was_there boolean;
BEGIN
    PERFORM set_config('daftari.door', 'open', true);
    DELETE FROM services.sms_opt_outs WHERE number = coalesce(core.normalize_phone(p_number), ltrim(p_number, '+'));
    v_was_there := FOUND;
    PERFORM set_config('daftari.door', '', true);
    RETURN v_was_there;
END
$$;

-- Trigger function: texts change through services.set_sms_template only, which checks them and keeps who wanted it.
CREATE OR REPLACE FUNCTION services.guard_sms_templates()
RETURNS trigger
LANGUAGE plpgsql
AS $$
BEGIN
    RAISE EXCEPTION '% on services.sms_templates is refused', TG_OP
        USING ERRCODE = 'DF003', HINT = 'Change a text with services.set_sms_template, or PUT /templates/:key/:language.';
END
$$;

-- A name as our texts write it: plain Latin letters, spaces, apostrophes, hyphens and full stops, 25 of them at most.
-- Accents go, and all else; no link comes of what is left. Empty when nothing is left, as of a name in another script;
-- NULL for none.
--
-- One expression, so that it becomes part of the query that calls it.
CREATE OR REPLACE FUNCTION services.sms_name(p_name text)
RETURNS text
LANGUAGE sql
IMMUTABLE
PARALLEL SAFE
AS $$
    SELECT CASE
        WHEN p_name !~ '[^A-Za-z ]' THEN rtrim(left(btrim(p_name), 25))
        ELSE rtrim(left(btrim(regexp_replace(
            regexp_replace(translate(normalize(p_name, NFKD), U&'\2018\2019\02BC', ''''''''), '[^A-Za-z .''-]', '', 'g'),
            '\.(?=[A-Za-z]{2})', '. ', 'g'
        ), ' -.'''), 25))
    END
$$;

-- Why a transfer was refused, in words for the customer who sent it. Of the other side's wallet it says no more than
-- that it receives nothing: whether it is frozen or closed is its holder's matter.
CREATE OR REPLACE FUNCTION services.sms_reason(p_reason text, p_language text)
RETURNS text
LANGUAGE sql
IMMUTABLE
PARALLEL SAFE
AS $$
    SELECT CASE
        WHEN p_language = 'sw' THEN CASE p_reason
            WHEN 'insufficient_funds' THEN 'salio lako halitoshi'
            WHEN 'unknown_wallet' THEN 'nambari ya pochi haipo'
            WHEN 'own_wallet' THEN 'pochi yako imefungwa'
            WHEN 'wallet_frozen' THEN 'pochi hiyo haipokei pesa kwa sasa'
            WHEN 'wallet_closed' THEN 'pochi hiyo haipokei pesa kwa sasa'
            ELSE 'haikuwezekana kwa sasa'
        END
        ELSE CASE p_reason
            WHEN 'insufficient_funds' THEN 'your balance is too low'
            WHEN 'unknown_wallet' THEN 'no wallet has this number'
            WHEN 'own_wallet' THEN 'your wallet is locked'
            WHEN 'wallet_frozen' THEN 'that wallet cannot receive money now'
            WHEN 'wallet_closed' THEN 'that wallet cannot receive money now'
            ELSE 'it cannot be done now'
        END
    END
$$;

-- The text that tells a customer what happened to their money, from the forms of a template (sms_templates.formats).
--
-- With facts of the usual lengths it is one part of 160 characters; services.sms_template_fault sees to that when a text
-- is set.
--
-- p_formats: NULL, or a text that cannot be filled in, gives a plain sentence in English: news that is worded badly
--            must not undo the money that it tells about, so this never fails and is never NULL.
-- p_name:    what the other side is called (services.sms_name), or its number where there is no name to be told.
-- p_balance: after the movement, NULL to leave it out.
-- p_reason:  why a transfer was refused, as the ledger calls it.
--
-- In plpgsql, and as one statement: as an SQL function it would be started again for every message, which costs ten
-- times as much.
CREATE OR REPLACE FUNCTION services.sms_text(
    p_formats text[], p_language text, p_reference text, p_amount numeric, p_currency text, p_wallet text, p_name text,
    p_balance numeric, p_reason text DEFAULT NULL
)
RETURNS text
LANGUAGE plpgsql
IMMUTABLE
AS $$
BEGIN
    RETURN coalesce(
        format(
            p_formats[CASE WHEN p_name <> '' THEN 2 ELSE 1 END + CASE WHEN p_balance IS NULL THEN 0 ELSE 2 END],
            p_reference,
            coalesce(p_currency, 'KES') || to_char(coalesce(p_amount, 0), 'FM" "99,999,999,999,999,990.00'),
            p_wallet,
            CASE WHEN p_name <> '' THEN p_name WHEN p_language = 'sw' THEN 'mteja' ELSE 'a customer' END,
            coalesce(p_currency, 'KES') || to_char(p_balance, 'FM" "99,999,999,999,999,990.00'),
            CASE WHEN p_reason IS NOT NULL THEN services.sms_reason(p_reason => p_reason, p_language => p_language) END
        ),
        coalesce(p_reference, '') || ' confirmed. ' || coalesce(p_currency, 'KES')
        || to_char(coalesce(p_amount, 0), 'FM" "99,999,999,999,999,990.00') || '.'
    );
END
$$;

-- Queues the messages that tell customers about movements of their wallets, in the transaction that moved the money.
--
-- Arrays of equal length, one element a message: to the holder of p_wallets[i], in their language. p_others[i] is the
-- other side of the movement: the text has its holder's name, as customers of mobile money expect once money has
-- moved; where p_reasons[i] says why nothing moved it has the number alone, for a refusal must not tell whose it is.
--
-- A refusal costs its caller nothing and us a message, so a wallet gets at most one an hour.
--
-- Before: the movements are made.
-- After:  one PENDING row an element; none for a wallet that is not a customer's.
CREATE OR REPLACE FUNCTION services.queue_movement_sms(
    p_templates    text[],
    p_wallets      text[],
    p_references   text[],
    p_amounts      numeric[],
    p_currencies   text[],
    p_others       text[],
    p_balances     numeric[],
    p_reasons      text[] DEFAULT NULL, -- why nothing moved, NULL where it did
    p_priorities   smallint[] DEFAULT NULL -- 0 by default
)
RETURNS void
LANGUAGE plpgsql
VOLATILE
SET search_path = pg_catalog, pg_temp
-- As for core.post_transactions: tables are asked for arrays of keys, and what they answer is joined by hashing.
SET plan_cache_mode = force_generic_plan
SET enable_seqscan = off
SET enable_nestloop = off
SET jit = off
AS $$
DECLARE
    v_now   constant timestamp := date_trunc('milliseconds', clock_timestamp() AT TIME ZONE 'UTC');
    v_ms    constant bigint := (extract(epoch FROM v_now) * 1000)::bigint;
    v_all   constant text[] := p_wallets || p_others;
    v_told  bigint[]; -- which elements are refusals that are told
    v_door  text;
BEGIN
    IF 'transfer_refused' = ANY (p_templates) THEN
        -- A caller that has opened the door has more to write.
        v_door := coalesce(current_setting('daftari.door', true), '');
        PERFORM set_config('daftari.door', 'open', true);
        -- The first batch locks the row of a wallet; the next one sees what it wrote. In order of wallets, so that
        -- two batches never wait for each other.
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
        PERFORM set_config('daftari.door', v_door, true);
    END IF;

    WITH party AS MATERIALIZED (
        SELECT w.id::text, w.kind, w.phone, w.holder_name, w.language::text, w.status
          FROM core.wallets w
         WHERE w.id = ANY (v_all)
    ), wording AS MATERIALIZED (
        SELECT m.key::text, m.language::text, m.formats FROM services.sms_templates m WHERE m.key = ANY (p_templates)
    )
    INSERT INTO services.sms_logs (
        id, recipient, message, status, created_at, next_attempt_at, transaction_reference, template, language, priority
    )
    SELECT core.uuid_v7(p_milliseconds => v_ms, p_sequence => t.ord::integer & 4095), p.phone,
           services.sms_text(
               p_formats => m.formats, p_language => p.language, p_reference => t.reference, p_amount => t.amount,
               p_currency => t.currency, p_wallet => t.wallet,
               p_name => CASE
                   WHEN t.reason IS NULL AND o.kind = 'CUSTOMER' THEN services.sms_name(o.holder_name)
                   ELSE t.other
               END,
               p_balance => t.balance,
               p_reason => CASE WHEN t.reason LIKE 'wallet\_%' AND p.status <> 'ACTIVE' THEN 'own_wallet' ELSE t.reason END
           ),
           'PENDING', v_now, v_now, t.reference, t.template, p.language, coalesce(t.priority, 0)
      FROM unnest(
        p_templates, p_wallets, p_references, p_amounts, p_currencies, p_others, p_balances, p_reasons, p_priorities
      ) WITH ORDINALITY
        AS t (template, wallet, reference, amount, currency, other, balance, reason, priority, ord)
      JOIN party p ON p.id = t.wallet
      LEFT JOIN party o ON o.id = t.other
      LEFT JOIN wording m ON m.key = t.template AND m.language = p.language
     WHERE p.kind = 'CUSTOMER' AND p.phone IS NOT NULL
       AND (t.template <> 'transfer_refused' OR t.ord = ANY (v_told));
END
$$;

-- Stores a delivery report as received and folds it into its message.
--
-- Before: nothing is locked; the caller's transaction is READ COMMITTED.
-- After:  one row in services.sms_delivery_reports, with the message that it is about, if there is one. outcome:
--   APPLIED      the message's delivery state is this report's
--   STALE        it knew as much or more
--   PARKED       no message has this id; the report joins when one gets it
--   MISMATCHED   the message with this id went to another number
--   AMBIGUOUS    several messages have this id, and the report does not say which number it is about
--   QUARANTINED  no id or no status could be read
--
-- p_state: what the report means in our words, those of services.delivery_rank.
-- p_status, p_reason: the provider's own words. p_explanation: the reason in a sentence of ours.
CREATE OR REPLACE FUNCTION services.record_delivery_report(
    p_provider text, p_message_id text, p_state text, p_status text, p_reason text, p_explanation text, p_network text,
    p_retry_count integer, p_phone text, p_body bytea
)
RETURNS TABLE (id uuid, outcome text, sms_id uuid)
LANGUAGE plpgsql
VOLATILE
SET search_path = pg_catalog, pg_temp
SET plan_cache_mode = force_generic_plan
SET enable_seqscan = off
SET jit = off
AS $$
#variable_conflict use_column
DECLARE
    v_message_id constant text := nullif(left(btrim(p_message_id), 255), '');
    v_status     constant text := nullif(left(btrim(p_status), 50), '');
    v_reason     constant text := nullif(left(btrim(p_reason), 100), '');
    v_digits     constant text := regexp_replace(p_phone, '[[:space:]-]', '', 'g');
    -- A masked number says nothing.
    v_phone      constant text := coalesce(core.normalize_phone(v_digits), substring(v_digits FROM '^\+?([0-9]{3,15})$'));
    v_ids        uuid[];
    v_candidates bigint;
    l            services.sms_logs;
BEGIN
    id := core.new_id();
    IF v_message_id IS NULL OR v_status IS NULL OR p_state IS NULL THEN
        outcome := 'QUARANTINED';
    ELSE
        PERFORM services.lock_message_ids(p_message_ids => ARRAY[v_message_id], p_exclusive => true);
        SELECT count(*),
               array_agg(s.id) FILTER (WHERE v_phone IS NULL OR s.recipient IS NULL OR s.recipient = v_phone)
          INTO v_candidates, v_ids
          FROM services.sms_logs s
         WHERE s.provider_message_id = v_message_id AND s.provider = p_provider;
        IF array_length(v_ids, 1) = 1 THEN
            SELECT s.* INTO l
              FROM services.sms_logs s
             WHERE s.id = v_ids[1] AND s.provider_message_id = v_message_id
               FOR NO KEY UPDATE;
        END IF;
        sms_id := l.id;
        outcome := CASE
            WHEN l.id IS NULL AND v_candidates = 0 THEN 'PARKED'
            WHEN v_ids IS NULL THEN 'MISMATCHED'
            WHEN array_length(v_ids, 1) > 1 THEN 'AMBIGUOUS'
            -- It has gone out again under another id while we waited for it.
            WHEN l.id IS NULL THEN 'PARKED'
            WHEN l.delivery_state IS NULL
                 OR (services.delivery_rank(p_state), v_status COLLATE "C", coalesce(v_reason, '') COLLATE "C")
                    > (
                        services.delivery_rank(l.delivery_state), l.delivery_status COLLATE "C",
                        coalesce(l.delivery_reason, '') COLLATE "C"
                    )
                THEN 'APPLIED'
            ELSE 'STALE'
        END;
    END IF;

    PERFORM set_config('daftari.door', 'open', true);
    INSERT INTO services.sms_delivery_reports (
        id, provider, provider_message_id, state, status, reason, explanation, network, retry_count, phone, sms_id,
        outcome, body, received_at
    )
    VALUES (
        id, p_provider, v_message_id, p_state, v_status, v_reason, nullif(left(btrim(p_explanation), 200), ''),
        nullif(left(btrim(p_network), 20), ''), p_retry_count, v_phone, sms_id, outcome, p_body,
        clock_timestamp() AT TIME ZONE 'UTC'
    );
    PERFORM set_config('daftari.door', '', true);
    -- A report that changes nothing else may still name the network.
    IF outcome IN ('APPLIED', 'STALE') THEN
        PERFORM services.fold_delivery(ARRAY[l.id]);
    END IF;
    RETURN NEXT;
END
$$;

-- Remembers that a number wants no unimportant messages. p_sender_id: the name that it answered to, '' where none was
-- named. After: whether it was new.
CREATE OR REPLACE FUNCTION services.record_opt_out(p_number text, p_sender_id text DEFAULT '')
RETURNS boolean
LANGUAGE plpgsql
VOLATILE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    v_number constant text := coalesce(core.normalize_phone(p_number), ltrim(p_number, '+'));
    v_is_new boolean;
BEGIN
    PERFORM set_config('daftari.door', 'open', true);
    INSERT INTO services.sms_opt_outs (number, sender_id, number_hash)
    VALUES (v_number, p_sender_id, encode(sha256(v_number::bytea), 'hex'))
    ON CONFLICT DO NOTHING;
    v_is_new := FOUND;
    PERFORM set_config('daftari.door', '', true);
    RETURN v_is_new;
END
$$;

-- core.record_transfers, with messages to the customers: both sides of a transfer, or the sender when it was refused.
--
-- p_notify[i]: false for a transfer that nobody shall hear of. A refusal is told as what can wait, and only where
--              the customer asked for something sensible: not for an amount or a pair of wallets that could never be.
CREATE OR REPLACE FUNCTION services.record_transfers(
    p_keys       text[],
    p_digests    text[],
    p_references text[],
    p_debits     text[],
    p_credits    text[],
    p_amounts    numeric[],
    p_currencies text[],
    p_narratives text[],
    p_notify     boolean[]
)
RETURNS TABLE (
    ord integer, outcome text, reason text, reference text, transaction_id uuid, amount numeric, fee numeric,
    balance_after numeric, created_at timestamp, verification_hash text
)
LANGUAGE plpgsql
VOLATILE
SET search_path = pg_catalog, pg_temp
SET plan_cache_mode = force_generic_plan
SET jit = off
AS $$
#variable_conflict use_column
DECLARE
    v_done record;
    v_news record;
BEGIN
    SELECT *
      INTO v_done
      FROM core.record_transfers(
          p_keys => p_keys, p_digests => p_digests, p_references => p_references, p_debits => p_debits,
          p_credits => p_credits, p_amounts => p_amounts, p_currencies => p_currencies, p_narratives => p_narratives
      );

    IF true = ANY (p_notify) THEN
        SELECT array_agg(n.template) AS templates, array_agg(n.wallet) AS wallets, array_agg(n.reference) AS refs,
               array_agg(t.amount) AS amounts, array_agg(t.currency) AS currencies, array_agg(n.other) AS others,
               array_agg(n.balance) AS balances, array_agg(n.reason) AS reasons,
               array_agg(n.priority::smallint) AS priorities
          INTO v_news
          FROM unnest(
            p_debits, p_credits, p_amounts, p_currencies, p_notify, v_done.outcomes, v_done.reasons, v_done.refs,
            v_done.balances, v_done.credit_balances
          ) AS t (debit, credit, amount, currency, notify, outcome, reason, reference, balance, credit_balance)
         CROSS JOIN LATERAL (
            VALUES ('transfer_out', 'posted', t.debit, t.credit, t.reference, t.balance, NULL, 0),
                   ('transfer_in', 'posted', t.credit, t.debit, t.reference, t.credit_balance, NULL, 0),
                   ('transfer_refused', 'refused', t.debit, t.credit, NULL, NULL, t.reason, 1)
         ) AS n (template, outcome, wallet, other, reference, balance, reason, priority)
         WHERE t.notify AND n.outcome = t.outcome
           AND (t.reason IS NULL OR t.reason NOT IN ('invalid_amount', 'same_wallet'));
        IF v_news.templates IS NOT NULL THEN
            PERFORM services.queue_movement_sms(
                p_templates => v_news.templates, p_wallets => v_news.wallets, p_references => v_news.refs,
                p_amounts => v_news.amounts, p_currencies => v_news.currencies, p_others => v_news.others,
                p_balances => v_news.balances, p_reasons => v_news.reasons, p_priorities => v_news.priorities
            );
        END IF;
    END IF;

    RETURN QUERY
    SELECT t.ord::integer, t.outcome, t.reason, t.reference, t.id, t.amount, t.fee, t.balance, t.created_at, t.hash
      FROM unnest(
        v_done.outcomes, v_done.reasons, v_done.refs, v_done.ids, p_amounts, v_done.fees, v_done.balances,
        v_done.times, v_done.hashes
      ) WITH ORDINALITY AS t (outcome, reason, reference, id, amount, fee, balance, created_at, hash, ord);
END
$$;

-- A text filled in with the longest facts that are usual, to be looked at and measured.
CREATE OR REPLACE FUNCTION services.sample_sms(p_key text, p_language text, p_text text)
RETURNS text
LANGUAGE sql
IMMUTABLE
AS $$
    SELECT services.sms_text(
        p_formats => services.compile_sms_template(p_text), p_language => p_language,
        p_reference => CASE WHEN p_key LIKE 'deposit%' THEN 'QKJ41HARMI' ELSE 'DF-0123456789AB' END,
        p_amount => 9999999.99, p_currency => 'KES', p_wallet => '2048173651', p_name => 'Wamaitha Nyokabi Njoroge',
        p_balance => 99999999.99, p_reason => 'wallet_frozen'
    )
$$;

-- What the text of a message may fill in, by its key: all that it needs, and what it may have besides. NULL for a key
-- that no message has.
CREATE OR REPLACE FUNCTION services.sms_placeholders(p_key text, OUT needed text[], OUT allowed text[])
LANGUAGE sql
IMMUTABLE
PARALLEL SAFE
AS $$
    SELECT k.needed, k.needed || k.besides
      FROM (VALUES
        ('deposit', ARRAY['reference', 'amount', 'wallet'], ARRAY['name', 'balance']),
        ('deposit_suspense', ARRAY['reference', 'amount'], ARRAY['name']),
        ('transfer_out', ARRAY['reference', 'amount', 'name'], ARRAY['wallet', 'balance']),
        ('transfer_in', ARRAY['reference', 'amount', 'name'], ARRAY['wallet', 'balance']),
        ('transfer_refused', ARRAY['amount', 'name', 'reason'], ARRAY['wallet']),
        ('withdrawal', ARRAY['reference', 'amount'], ARRAY['wallet', 'balance']),
        ('reversal_debit', ARRAY['reference', 'amount'], ARRAY['wallet', 'balance']),
        ('reversal_credit', ARRAY['reference', 'amount'], ARRAY['wallet', 'balance']),
        ('suspense_assigned', ARRAY['reference', 'amount', 'wallet'], ARRAY['balance'])
      ) AS k (key, needed, besides)
     WHERE k.key = p_key
$$;

-- What is wrong with a text for a template, or NULL: a code, and for people what it is about.
--
--   unknown_template     no message has this key, or the language is neither en nor sw
--   alphabet             a character that is not in the basic GSM alphabet: the message would cost twice as much or more
--   malformed            braces or brackets that do not pair; a part in brackets must have {name} or {balance} in it
--   unknown_placeholder  one that this message has no fact for
--   missing_placeholder  one that this message needs
--   too_long             with long facts it would not fit into one message
CREATE OR REPLACE FUNCTION services.sms_template_fault(
    p_key text, p_language text, p_text text, OUT fault text, OUT detail text
)
LANGUAGE plpgsql
IMMUTABLE
AS $$
DECLARE
    c_basic  constant text :=
        '^[]A-Za-z0-9 @£$¥èéùìòÇØøÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ!"#¤%&''()*+,./:;<=>?¡ÄÖÑÜ§¿äöñüà{}[-]*$';
    v_facts  record;
    v_used   text[];
    v_length integer;
BEGIN
    SELECT * INTO v_facts FROM services.sms_placeholders(p_key);
    v_used := ARRAY(SELECT m[1] FROM regexp_matches(p_text, '\{([^{}]*)\}', 'g') AS m);
    detail := CASE
        WHEN v_facts.needed IS NULL OR p_language IS NULL OR p_language NOT IN ('en', 'sw') THEN 'key or language'
    END;
    IF detail IS NOT NULL THEN
        fault := 'unknown_template';
    ELSIF p_text IS NULL OR btrim(p_text) = '' OR p_text !~ c_basic THEN
        fault := 'alphabet';
        detail := 'one line of the basic GSM alphabet, without a tilde, backslash, circumflex, bar or euro sign';
    ELSIF regexp_replace(p_text, '\{[^{}]*\}', '', 'g') ~ '[{}]'
          OR regexp_replace(p_text, '\[[^][]*\{(?:name|balance)\}[^][]*\]', '', 'g') ~ '[][]'
          OR p_text ~ '\[[^][]*\{name\}[^][]*\{balance\}|\[[^][]*\{balance\}[^][]*\{name\}'
    THEN
        fault := 'malformed';
        detail := 'each brace and bracket must be closed; what is in brackets must have {name} or {balance} in it';
    ELSIF NOT v_used <@ v_facts.allowed THEN
        fault := 'unknown_placeholder';
        SELECT string_agg('{' || u || '}', ', ') INTO detail FROM unnest(v_used) AS u WHERE u <> ALL (v_facts.allowed);
    ELSIF NOT v_facts.needed <@ v_used THEN
        fault := 'missing_placeholder';
        SELECT string_agg('{' || u || '}', ', ') INTO detail FROM unnest(v_facts.needed) AS u WHERE u <> ALL (v_used);
    ELSE
        v_length := char_length(services.sample_sms(p_key => p_key, p_language => p_language, p_text => p_text));
        IF v_length > 160 THEN
            fault := 'too_long';
            detail := v_length || ' characters with long facts; 160 fit';
        END IF;
    END IF;
END
$$;

-- Changes the text of a message, and writes down who wanted it and why.
--
-- After: fault NULL and the text is used from the next message on; or nothing is changed, and fault and detail say what
--        is wrong (services.sms_template_fault).
CREATE OR REPLACE FUNCTION services.set_sms_template(
    p_key text, p_language text, p_text text, p_by text, p_reason text, OUT fault text, OUT detail text
)
LANGUAGE plpgsql
VOLATILE
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF coalesce(btrim(p_by), '') = '' OR coalesce(btrim(p_reason), '') = '' THEN
        RAISE EXCEPTION 'who changes a text, and why, must be named' USING ERRCODE = '22023';
    END IF;
    SELECT f.fault, f.detail INTO fault, detail FROM services.sms_template_fault(
        p_key => p_key, p_language => p_language, p_text => p_text
    ) AS f;
    IF fault IS NOT NULL THEN
        RETURN;
    END IF;
    PERFORM set_config('daftari.door', 'open', true);
    INSERT INTO services.sms_templates AS t (key, language, text, formats, changed_at)
    VALUES (p_key, p_language, p_text, services.compile_sms_template(p_text), clock_timestamp() AT TIME ZONE 'UTC')
        ON CONFLICT (key, language) DO UPDATE
       SET text = EXCLUDED.text, formats = EXCLUDED.formats, changed_at = EXCLUDED.changed_at;
    INSERT INTO services.sms_template_changes (key, language, text, changed_by, reason)
    VALUES (p_key, p_language, p_text, p_by, p_reason);
    PERFORM set_config('daftari.door', '', true);
END
$$;

-- Books the provider's acceptance of attempts after which a person had the message sent again, each once. For
-- services.settle_sms, which holds the messages' locks; its parameters are that function's.
--
-- After: which elements were booked, NULL for none. The message counts as sent unless the next attempt says otherwise.
CREATE OR REPLACE FUNCTION services.settle_late_sms(
    p_now timestamp, p_ids uuid[], p_attempts integer[], p_outcomes text[], p_message_ids text[], p_costs numeric[],
    p_currencies text[], p_parts integer[]
)
RETURNS integer[]
LANGUAGE plpgsql
VOLATILE
AS $$
DECLARE
    v_late integer[];
    i      integer;
BEGIN
    PERFORM set_config('daftari.door', 'open', true);
    -- The unique row is what keeps an answer from being booked twice.
    WITH booked AS (
        INSERT INTO services.sms_events (sms_id, kind, attempt, detail)
        SELECT s.id, 'LATE_ANSWER', t.attempt, concat_ws(', ', 'accepted after the next attempt had begun', t.message_id)
          FROM unnest(p_ids, p_attempts, p_outcomes, p_message_ids) AS t (id, attempt, outcome, message_id)
          JOIN services.sms_logs s ON s.id = t.id AND s.attempts > t.attempt
         WHERE t.outcome = 'accepted'
           AND EXISTS (
               SELECT 1 FROM services.sms_events e
                WHERE e.sms_id = s.id AND e.attempt = t.attempt AND e.kind = 'DECIDED'
           )
        ON CONFLICT (sms_id, attempt) WHERE kind = 'LATE_ANSWER' DO NOTHING
        RETURNING sms_id, attempt
    )
    SELECT array_agg(f.ord)
      INTO v_late
      FROM (
        SELECT min(t.ord)::integer AS ord
          FROM booked b
          JOIN unnest(p_ids, p_attempts, p_outcomes) WITH ORDINALITY AS t (id, attempt, outcome, ord)
            ON t.id = b.sms_id AND t.attempt = b.attempt AND t.outcome = 'accepted'
         GROUP BY b.sms_id, b.attempt
      ) f;
    -- One at a time: two attempts of one message may both be among them.
    FOREACH i IN ARRAY coalesce(v_late, '{}') LOOP
        UPDATE services.sms_logs l
           SET cost = CASE WHEN a.adds_cost THEN coalesce(l.cost, 0) + round(p_costs[i], 4) ELSE l.cost END,
               currency = CASE WHEN a.adds_cost THEN p_currencies[i] ELSE l.currency END,
               parts = coalesce(l.parts + p_parts[i], p_parts[i], l.parts),
               -- The customer has been told: it need not be sent again, and has not failed.
               phase = CASE WHEN a.tells THEN 'DONE' ELSE l.phase END,
               status = CASE WHEN a.tells THEN 'SENT' ELSE l.status END,
               provider_message_id = CASE
                   WHEN a.tells THEN coalesce(p_message_ids[i], l.provider_message_id) ELSE l.provider_message_id
               END,
               sent_at = CASE WHEN a.tells THEN coalesce(l.sent_at, l.claimed_at) ELSE l.sent_at END,
               settled_at = CASE WHEN a.tells THEN coalesce(l.settled_at, p_now) ELSE l.settled_at END,
               error_code = CASE WHEN NOT a.tells THEN l.error_code END,
               error_message = CASE WHEN NOT a.tells THEN l.error_message END
          FROM (
            SELECT p_costs[i] IS NOT NULL
                       AND (coalesce(s.cost, 0) = 0 OR s.currency IS NOT DISTINCT FROM p_currencies[i]) AS adds_cost,
                   s.phase = 'QUEUED' OR s.status = 'FAILED' AND s.delivery_state IS NULL AS tells
              FROM services.sms_logs s
             WHERE s.id = p_ids[i]
          ) a
         WHERE l.id = p_ids[i];
    END LOOP;
    PERFORM set_config('daftari.door', '', true);
    PERFORM services.fold_delivery(array_agg(p_ids[t.ord])) FROM unnest(v_late) AS t (ord);
    RETURN v_late;
END
$$;

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

-- What the messages cost that were queued from p_from (included) to p_to (not included), both in UTC.
--
-- p_by: day (in East Africa Time), status, network or template.
-- After: one row for each key and currency, and one for each currency alone (is_total). Messages without a cost are
--        counted in rows whose currency is NULL. A cost without a currency counts as XXX.
CREATE OR REPLACE FUNCTION services.sms_cost_report(p_from timestamp, p_to timestamp, p_by text)
RETURNS TABLE (
    is_total boolean, key text, currency text, messages bigint, parts bigint, expected_parts bigint, cost numeric
)
LANGUAGE sql
STABLE
SET search_path = pg_catalog, pg_temp
SET jit = off
AS $$
    SELECT grouping(m.key) = 1, m.key, m.currency, count(*), coalesce(sum(m.parts), 0),
           coalesce(sum(m.expected_parts), 0), coalesce(sum(m.cost), 0)::numeric(19,4)
      FROM (
        SELECT CASE p_by
                   WHEN 'day' THEN services.eat_day(l.created_at)::text
                   WHEN 'status' THEN l.status
                   WHEN 'network' THEN coalesce(l.network, 'unknown')
                   WHEN 'template' THEN l.template
               END AS key,
               CASE WHEN l.cost IS NOT NULL THEN coalesce(l.currency::text, 'XXX') END AS currency,
               l.parts, l.expected_parts, l.cost
          FROM services.sms_logs l
         WHERE l.created_at >= p_from AND l.created_at < p_to
      ) m
     GROUP BY GROUPING SETS ((m.key, m.currency), (m.currency))
$$;

-- Trigger function: what is paid out of a hold is told to the customers whose wallets it touches, whichever way it was
-- captured. Its fee is posted by then, so what the wallets have now is what is left in them.
CREATE OR REPLACE FUNCTION services.tell_of_capture()
RETURNS trigger
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    t core.transactions;
BEGIN
    SELECT * INTO t FROM core.transactions x WHERE x.reference = NEW.capture_reference;
    PERFORM services.queue_movement_sms(
        p_templates => ARRAY[CASE t.type WHEN 'WITHDRAWAL' THEN 'withdrawal' ELSE 'transfer_out' END, 'transfer_in'],
        p_wallets => ARRAY[t.debit_wallet_id, t.credit_wallet_id]::text[],
        p_references => ARRAY[t.reference, t.reference]::text[], p_amounts => ARRAY[t.amount, t.amount],
        p_currencies => ARRAY[t.currency, t.currency]::text[],
        p_others => ARRAY[t.credit_wallet_id, t.debit_wallet_id]::text[],
        p_balances => ARRAY[
            (SELECT w.balance FROM core.wallets w WHERE w.id = t.debit_wallet_id),
            (SELECT w.balance FROM core.wallets w WHERE w.id = t.credit_wallet_id)
        ]
    );
    RETURN NULL;
END
$$;

-- Trigger function: a reversal and an assignment are told to the customers whose wallets they touch, whichever way they
-- were posted. They are rare; deposits and transfers are told by the functions that record them, a batch at a time.
CREATE OR REPLACE FUNCTION services.tell_of_transaction()
RETURNS trigger
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF NEW.type = 'REVERSAL' THEN
        PERFORM services.queue_movement_sms(
            p_templates => ARRAY['reversal_debit', 'reversal_credit'],
            p_wallets => ARRAY[NEW.debit_wallet_id, NEW.credit_wallet_id]::text[],
            p_references => ARRAY[NEW.reference, NEW.reference]::text[], p_amounts => ARRAY[NEW.amount, NEW.amount],
            p_currencies => ARRAY[NEW.currency, NEW.currency]::text[],
            p_others => ARRAY[NEW.credit_wallet_id, NEW.debit_wallet_id]::text[],
            p_balances => ARRAY[NEW.debit_balance_after, NEW.credit_balance_after]
        );
    ELSE
        PERFORM services.queue_movement_sms(
            p_templates => ARRAY['suspense_assigned'], p_wallets => ARRAY[NEW.credit_wallet_id]::text[],
            p_references => ARRAY[NEW.reference]::text[], p_amounts => ARRAY[NEW.amount],
            p_currencies => ARRAY[NEW.currency]::text[], p_others => ARRAY[NEW.debit_wallet_id]::text[],
            p_balances => ARRAY[NEW.credit_balance_after]
        );
    END IF;
    RETURN NULL;
END
$$;

-- ==== end of functions ====

INSERT INTO services.sms_templates (key, language, text, formats)
SELECT t.key, t.language, t.text, services.compile_sms_template(t.text)
  FROM (VALUES
    ('deposit', 'en', '{reference} confirmed. {amount} received[ from {name}] in wallet {wallet}.[ New balance {balance}.]'),
    ('deposit', 'sw', '{reference} imethibitishwa. Umepokea {amount}[ kutoka kwa {name}] kwenye pochi {wallet}.[ Salio jipya {balance}.]'),
    ('deposit_suspense', 'en', '{reference} confirmed. {amount} received and safe, but not in a wallet yet. Contact us with this code.'),
    ('deposit_suspense', 'sw', '{reference} imethibitishwa. {amount} zimepokelewa na ziko salama, ila bado hazina pochi. Wasiliana nasi kwa namba hii.'),
    ('transfer_out', 'en', '{reference} confirmed. {amount} sent to {name}.[ New balance {balance}.]'),
    ('transfer_out', 'sw', '{reference} imethibitishwa. Umetuma {amount} kwa {name}.[ Salio jipya {balance}.]'),
    ('transfer_in', 'en', '{reference} confirmed. {amount} received from {name}.[ New balance {balance}.]'),
    ('transfer_in', 'sw', '{reference} imethibitishwa. Umepokea {amount} kutoka kwa {name}.[ Salio jipya {balance}.]'),
    ('transfer_refused', 'en', '{amount} to {name} was not sent: {reason}. No money has left your wallet.'),
    ('transfer_refused', 'sw', '{amount} kwa {name} hazikutumwa: {reason}. Pesa haijatoka kwenye pochi yako.'),
    ('withdrawal', 'en', '{reference} confirmed. {amount} was paid out of your wallet {wallet}.[ New balance {balance}.]'),
    ('withdrawal', 'sw', '{reference} imethibitishwa. {amount} zimetolewa kutoka pochi yako {wallet}.[ Salio jipya {balance}.]'),
    ('reversal_debit', 'en', '{reference} confirmed. {amount} was taken back from your wallet {wallet}.[ New balance {balance}.]'),
    ('reversal_debit', 'sw', '{reference} imethibitishwa. {amount} zimerudishwa kutoka pochi yako {wallet}.[ Salio jipya {balance}.]'),
    ('reversal_credit', 'en', '{reference} confirmed. {amount} was returned to your wallet {wallet}.[ New balance {balance}.]'),
    ('reversal_credit', 'sw', '{reference} imethibitishwa. {amount} zimerudishwa kwenye pochi yako {wallet}.[ Salio jipya {balance}.]'),
    ('suspense_assigned', 'en', '{reference}: {amount} that waited is now in wallet {wallet}.[ New balance {balance}.]'),
    ('suspense_assigned', 'sw', '{reference}: {amount} zilizosubiri sasa ziko kwenye pochi {wallet}.[ Salio jipya {balance}.]')
  ) AS t (key, language, text);

CREATE TRIGGER sms_logs_follow_status BEFORE INSERT OR UPDATE ON services.sms_logs
    FOR EACH ROW WHEN (NEW.status <> 'PENDING' AND NEW.phase <> 'DONE')
    EXECUTE FUNCTION services.follow_sms_status();
CREATE TRIGGER sms_logs_through_the_door BEFORE UPDATE ON services.sms_logs
    FOR EACH STATEMENT WHEN (current_setting('daftari.door', true) IS DISTINCT FROM 'open')
    EXECUTE FUNCTION core.refuse_write('Call services.decide_sms, or decideSms in @repo/db; what is to be sent again is queued again, with queueSms.');
CREATE TRIGGER sms_logs_never_deleted BEFORE DELETE OR TRUNCATE ON services.sms_logs
    FOR EACH STATEMENT EXECUTE FUNCTION core.refuse_change('It is the record of what was sent and paid for; use a fresh database for trials.');
CREATE TRIGGER sms_delivery_reports_through_the_door BEFORE INSERT ON services.sms_delivery_reports
    FOR EACH STATEMENT WHEN (current_setting('daftari.door', true) IS DISTINCT FROM 'open')
    EXECUTE FUNCTION core.refuse_write('Call services.record_delivery_report, or recordDeliveryReport in @repo/db.');
CREATE TRIGGER sms_delivery_reports_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON services.sms_delivery_reports
    FOR EACH STATEMENT EXECUTE FUNCTION core.refuse_change('It is the record of what the provider reported; use a fresh database for trials.');
CREATE TRIGGER sms_events_through_the_door BEFORE INSERT ON services.sms_events
    FOR EACH STATEMENT WHEN (current_setting('daftari.door', true) IS DISTINCT FROM 'open')
    EXECUTE FUNCTION core.refuse_write('Call services.decide_sms, or decideSms in @repo/db.');
CREATE TRIGGER sms_events_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON services.sms_events
    FOR EACH STATEMENT EXECUTE FUNCTION core.refuse_change('It is the record of who decided on a message, and why.');
CREATE TRIGGER sms_spend_through_the_door BEFORE INSERT OR UPDATE ON services.sms_spend
    FOR EACH STATEMENT WHEN (current_setting('daftari.door', true) IS DISTINCT FROM 'open')
    EXECUTE FUNCTION core.refuse_write('services.settle_sms and services.decide_sms book what was charged.');
CREATE TRIGGER sms_spend_never_deleted BEFORE DELETE OR TRUNCATE ON services.sms_spend
    FOR EACH STATEMENT EXECUTE FUNCTION core.refuse_change('It is the record of what was paid for; use a fresh database for trials.');
CREATE TRIGGER sms_opt_outs_through_the_door BEFORE INSERT OR UPDATE OR DELETE ON services.sms_opt_outs
    FOR EACH STATEMENT WHEN (current_setting('daftari.door', true) IS DISTINCT FROM 'open')
    EXECUTE FUNCTION core.refuse_write('Call services.record_opt_out or services.forget_opt_out, or recordOptOut in @repo/db.');
CREATE TRIGGER sms_opt_outs_never_truncated BEFORE TRUNCATE ON services.sms_opt_outs
    FOR EACH STATEMENT EXECUTE FUNCTION core.refuse_change('Who asked for no messages would get them again; call services.forget_opt_out for single numbers.');
CREATE TRIGGER sms_last_told_through_the_door BEFORE INSERT OR UPDATE OR DELETE OR TRUNCATE ON services.sms_last_told
    FOR EACH STATEMENT WHEN (current_setting('daftari.door', true) IS DISTINCT FROM 'open')
    EXECUTE FUNCTION core.refuse_write('services.record_transfers remembers there whom it told.');
CREATE TRIGGER sms_templates_through_the_door BEFORE INSERT OR UPDATE OR DELETE ON services.sms_templates
    FOR EACH ROW WHEN (current_setting('daftari.door', true) IS DISTINCT FROM 'open')
    EXECUTE FUNCTION services.guard_sms_templates();
CREATE TRIGGER sms_templates_never_truncated BEFORE TRUNCATE ON services.sms_templates
    FOR EACH STATEMENT EXECUTE FUNCTION core.refuse_change('Messages would have no text; change a text with services.set_sms_template.');
CREATE TRIGGER sms_template_changes_through_the_door BEFORE INSERT ON services.sms_template_changes
    FOR EACH STATEMENT WHEN (current_setting('daftari.door', true) IS DISTINCT FROM 'open')
    EXECUTE FUNCTION core.refuse_write('services.set_sms_template writes it with the change.');
CREATE TRIGGER sms_template_changes_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON services.sms_template_changes
    FOR EACH STATEMENT EXECUTE FUNCTION core.refuse_change('It is the record of who changed a text, and why.');

-- What moved is told in the transaction that moves it.
CREATE TRIGGER transactions_told AFTER INSERT ON core.transactions
    FOR EACH ROW WHEN (NEW.type IN ('REVERSAL', 'ASSIGNMENT')) EXECUTE FUNCTION services.tell_of_transaction();
CREATE TRIGGER holds_told AFTER UPDATE ON core.holds
    FOR EACH ROW WHEN (OLD.status = 'ACTIVE' AND NEW.status = 'CAPTURED')
    EXECUTE FUNCTION services.tell_of_capture();
