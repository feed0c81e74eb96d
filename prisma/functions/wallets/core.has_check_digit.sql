-- Is this a well-formed wallet number: ten digits, no leading zero, the last one the Damm check digit of the
-- others? Damm's scheme finds every single wrong digit and every swap of two neighbours (H. M. Damm, 2004).
--
-- The literal is Damm's quasigroup of order ten, row by row: the next state for a state and a digit.
CREATE OR REPLACE FUNCTION core.has_check_digit(p_number text)
RETURNS boolean
LANGUAGE plpgsql
IMMUTABLE
PARALLEL SAFE
AS $$
DECLARE
    c_table constant text :=
        '0317598642' || '7092154863' || '4206871359' || '1750983426' || '6123045978'
        || '3674209581' || '5869720134' || '8945362017' || '9438617205' || '2581436790';
    v_state integer := 0;
BEGIN
    IF p_number !~ '^[1-9][0-9]{9}$' THEN
        RETURN false;
    END IF;
    FOR i IN 1 .. 10 LOOP
        v_state := substr(c_table, v_state * 10 + substr(p_number, i, 1)::integer + 1, 1)::integer;
    END LOOP;
    RETURN v_state = 0;
END
$$;
