import type { Client } from 'pg';
import { readFunctions } from '../new-migration/deployed-functions.ts';
import type { DeployedFunction } from '../new-migration/deployed-functions.ts';
import { inOrderOfUse } from '../new-migration/order-of-use.ts';
import type { NamedText } from '../new-migration/order-of-use.ts';
import { readSources } from './distributed-dump.ts';
import { foreignKeyStatements, keyStatements, laneStatements } from './keys.ts';
import { splitGuards } from './local-guards.ts';
import { callableFormOf, nodeFormOf } from './node-form.ts';
import { LANES_SCHEMA, LANE_FUNCTIONS, laneFormOf, nameInLanes } from './lane-form.ts';

/** The table of what is claimed once in the world, whichever lane has it. */
export const CLAIMS = `${LANES_SCHEMA}.claims`;

/** Which message a provider's id is of, in the lane of the id; and who comes first where a report and an answer name one id. */
export const MESSAGE_TABLES = [`${LANES_SCHEMA}.message_ids`, `${LANES_SCHEMA}.message_locks`] as const;

/** Makes the schema of the distributed form, and the table of claims. */
const SCHEMA_STATEMENTS: readonly string[] = [
  `CREATE SCHEMA ${LANES_SCHEMA}`,
  `CREATE TABLE ${CLAIMS} (reference varchar(50) NOT NULL CONSTRAINT claims_pkey PRIMARY KEY, lane smallint NOT NULL)`,
  `CREATE TABLE ${MESSAGE_TABLES[0]} (
       lane smallint NOT NULL, provider_message_id varchar(255) NOT NULL, sms_lane smallint NOT NULL, sms_id uuid NOT NULL
   )`,
  `CREATE INDEX message_ids_idx ON ${MESSAGE_TABLES[0]} (provider_message_id)`,
  `CREATE TABLE ${MESSAGE_TABLES[1]} (lane smallint NOT NULL, class smallint NOT NULL, PRIMARY KEY (lane, class))`,
  // As many classes as one machine has locks for.
  `INSERT INTO ${MESSAGE_TABLES[1]} SELECT l, c FROM generate_series(0, 15) AS l, generate_series(0, 31) AS c`,
];

/** What was recorded before is claimed, or a repeat for an account of another lane would be credited once more. */
const CLAIM_STATEMENTS: readonly string[] = [
  `INSERT INTO ${CLAIMS} (reference, lane) SELECT t.reference, t.lane FROM core.transactions t`,
  `INSERT INTO ${CLAIMS} (reference, lane) SELECT l.mpesa_receipt, l.lane FROM services.mpesa_logs l
       ON CONFLICT (reference) DO NOTHING`,
  `INSERT INTO ${MESSAGE_TABLES[0]} (lane, provider_message_id, sms_lane, sms_id)
       SELECT core.lane_of(l.provider_message_id), l.provider_message_id, l.lane, l.id
         FROM services.sms_logs l WHERE l.provider_message_id IS NOT NULL`,
];

/** The functions of the distributed form: those of the folder, and the forms of the functions of one machine. */
export async function formFunctions(
  deployed: readonly Pick<DeployedFunction, 'name' | 'definition'>[],
  directory: string,
): Promise<NamedText[]> {
  const forms = deployed
    .filter(({ name }) => (LANE_FUNCTIONS as readonly string[]).includes(name))
    .map((each) => ({ name: nameInLanes(each.name), text: laneFormOf(each) }));
  const others = deployed.flatMap((each) => {
    const text = nodeFormOf(each);
    return text === null ? [] : [{ name: each.name, text }];
  });
  const callable = deployed.flatMap((each) => {
    const text = callableFormOf(each);
    return text === null ? [] : [{ name: nameInLanes(each.name), text }];
  });
  const written = [...(await readSources(directory))].map(([name, text]) => ({ name, text }));
  // What the folder says of a function wins.
  const names = new Set(written.map(({ name }) => name));
  return inOrderOfUse([...forms, ...callable, ...others.filter(({ name }) => !names.has(name)), ...written]);
}

/**
 * Gives a migrated database the distributed form. All of it is plain PostgreSQL, so that it can be tried on one server;
 * `spread` puts the tables on the workers, after their keys have a lane and before they point to each other again.
 */
export async function layOutForm(
  client: Client,
  sources: string,
  spread: () => Promise<void> = () => Promise.resolve(),
): Promise<void> {
  const statements = [...SCHEMA_STATEMENTS, ...laneStatements(), ...CLAIM_STATEMENTS, ...keyStatements()];
  for (const statement of statements) await client.query(statement);
  await splitGuards(client);
  await spread();
  for (const statement of foreignKeyStatements()) await client.query(statement);
  for (const { text } of await formFunctions(await readFunctions(client), sources)) await client.query(text);
  await guardHistory(client);
}

/**
 * Has the history of migrations refuse what does not know the form: Prisma writes a migration down before it runs it, and one
 * that makes functions would make those of one machine, which claim no receipt.
 */
export async function guardHistory(client: Client): Promise<void> {
  const { rows } = await client.query<{ name: string }>(
    `SELECT format('%I.%I', n.nspname, c.relname) AS name
       FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
      WHERE c.relname = '_prisma_migrations' AND c.relkind = 'r'
        AND NOT EXISTS (SELECT FROM pg_trigger t WHERE t.tgrelid = c.oid AND t.tgname = '${HISTORY_GUARD}')`,
  );
  for (const { name } of rows) {
    await client.query(
      `CREATE TRIGGER ${HISTORY_GUARD} BEFORE INSERT ON ${name} FOR EACH ROW EXECUTE FUNCTION ${LANES_SCHEMA}.guard_history()`,
    );
  }
}

/** The trigger on the history of migrations. */
export const HISTORY_GUARD = 'history_through_the_form';
