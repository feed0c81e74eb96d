-- Any text is a name again.

DROP TRIGGER "wallets_holder_rename" ON "core"."wallets";
DROP TRIGGER "wallets_holder_name" ON "core"."wallets";
DROP FUNCTION core.check_holder_name();
DROP FUNCTION core.is_holder_name(text);
