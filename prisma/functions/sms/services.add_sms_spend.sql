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
