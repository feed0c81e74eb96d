-- What support looks for: customers by name, and the messages about a transaction.

-- The words of a name as people look for them: small letters without accents and apostrophes; hyphens and full stops
-- part words.
CREATE OR REPLACE FUNCTION core.name_words(p_name text)
RETURNS text[]
LANGUAGE sql
IMMUTABLE
PARALLEL SAFE
AS $$
    SELECT array_remove(string_to_array(
        regexp_replace(
            regexp_replace(lower(normalize(p_name, NFKD)), '[\u0300-\u036F\u0027\u2018\u2019\u02BC]', '', 'g'),
            '[^[:alnum:]\u0080-\U0010FFFF]+', ' ', 'g'
        ), ' '), '')
$$;

-- The words of a name for wallets_name_idx, which finds them by how they begin.
CREATE OR REPLACE FUNCTION core.name_vector(p_name text)
RETURNS tsvector
LANGUAGE sql
IMMUTABLE
PARALLEL SAFE
AS $$
    SELECT array_to_tsvector(core.name_words(p_name))
$$;

-- Asks core.name_vector for names that have words beginning with each of the words given. NULL where no word is.
CREATE OR REPLACE FUNCTION core.name_query(p_name text)
RETURNS tsquery
LANGUAGE sql
IMMUTABLE
PARALLEL SAFE
AS $$
    SELECT string_agg('''' || w || ''':*', ' & ')::tsquery FROM unnest(core.name_words(p_name)) AS w
$$;

CREATE INDEX "wallets_name_idx" ON "core"."wallets" USING gin (core.name_vector("holder_name"::text)) WHERE ("kind" = 'CUSTOMER');
CREATE INDEX "sms_logs_reference_idx" ON "services"."sms_logs" ("transaction_reference");
