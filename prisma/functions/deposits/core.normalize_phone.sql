-- A Kenyan mobile number in the one form in which phones are stored, 2547XXXXXXXX or 2541XXXXXXXX, from any of
-- the forms that people type: 07..., 7..., 2547..., +2547..., 002547.... NULL for anything else.
-- Spaces and hyphens must be gone already.
CREATE OR REPLACE FUNCTION core.normalize_phone(p_typed text)
RETURNS text
LANGUAGE sql
IMMUTABLE
PARALLEL SAFE
AS $$
    SELECT '254' || substring(p_typed FROM '^(?:\+?254|00254|0)?([17][0-9]{8})$')
$$;
