-- Trigger function: a hold changes together with what its wallet has reserved, or not at all.
CREATE OR REPLACE FUNCTION core.guard_holds()
RETURNS trigger
LANGUAGE plpgsql
AS $$
BEGIN
    RAISE EXCEPTION '% on core.holds is refused: it would leave the wallet''s held money behind', TG_OP
        USING ERRCODE = 'DF003',
              HINT = 'Call core.place_hold, core.capture_hold or core.release_hold, or hold and its like in @repo/db.';
END
$$;
