import { execute } from '@repo/postgres/database';
import { createTestDatabase } from '@repo/postgres/testing';
import { describe, expect, it } from 'vitest';
import { faultsOf } from '../fixtures/faults.ts';

// Changes by hand, and what must be reported about them.
const DAMAGES = [
  {
    damage: 'rows that come from a child table in another schema',
    sql: 'CREATE SCHEMA elsewhere; CREATE TABLE elsewhere.more () INHERITS (core.wallets)',
    found: 'table elsewhere.more inherits from core.wallets: its rows count in every query of it',
  },
  {
    damage: 'an event trigger',
    sql: `CREATE FUNCTION public.watch() RETURNS event_trigger LANGUAGE plpgsql AS 'BEGIN END';
          CREATE EVENT TRIGGER watcher ON ddl_command_end EXECUTE FUNCTION public.watch()`,
    found: 'event trigger watcher runs',
  },
  {
    damage: 'a function elsewhere that opens the door',
    sql: `CREATE SCHEMA elsewhere;
          CREATE FUNCTION elsewhere.mint() RETURNS void LANGUAGE plpgsql
              AS $$ BEGIN PERFORM set_config('daftari.door', 'open', true); END $$`,
    found: 'function elsewhere.mint() names a setting that opens the guards',
  },
  {
    damage: 'a function elsewhere with the door as a setting of its own',
    sql: `CREATE FUNCTION public.mint() RETURNS void LANGUAGE sql SET daftari.door = 'open' AS ''`,
    found: 'function mint() names a setting that opens the guards',
  },
  {
    damage: "a function in the place of one of PostgreSQL's own",
    sql: `CREATE FUNCTION public.round(numeric) RETURNS numeric LANGUAGE sql AS 'SELECT $1 + 1'`,
    found: "has the name of one of PostgreSQL's own",
  },
  {
    damage: "an operator in the place of one of PostgreSQL's own",
    sql: `CREATE FUNCTION public.never(varchar, varchar) RETURNS boolean LANGUAGE sql AS 'SELECT false';
          CREATE OPERATOR public.= (LEFTARG = varchar, RIGHTARG = varchar, FUNCTION = public.never)`,
    found: "is one of PostgreSQL's own for other types",
  },
  {
    damage: 'a cast between types of everybody',
    sql: 'CREATE CAST (text AS integer) WITH INOUT AS IMPLICIT',
    found: 'cast from text to integer was made by hand',
  },
  {
    damage: 'a trigger with a function from elsewhere',
    sql: `CREATE FUNCTION public.meddle() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';
          CREATE TRIGGER meddles BEFORE INSERT ON core.wallets FOR EACH ROW EXECUTE FUNCTION public.meddle()`,
    found: 'trigger meddles on core.wallets belongs to no migration',
  },
];

describe('a damaged database', () => {
  it.each(DAMAGES)('is found out: $damage', async ({ sql, found }) => {
    await using database = await createTestDatabase();
    await execute(database.url, sql);
    expect(await faultsOf(database.url)).toContainEqual(expect.stringContaining(found));
  });
});
