import type { Operation } from '../../ledger/operations.ts';
import { operation } from '../../ledger/operations.ts';
import type { Row, Sql } from '../database/test-db.ts';

/** Past the package, as the database's owner: the batch as it is, with nobody who would say it again. */
export async function runBatch(sql: Sql, operations: readonly Operation[]): Promise<Row[]> {
  const column = (name: keyof Operation) => operations.map((each) => each[name]);
  return sql(RUN, [
    column('kind'),
    column('key'),
    column('digest'),
    column('holdId'),
    column('original'),
    column('wallet'),
    column('amount'),
    column('expiresAt'),
    column('reference'),
    column('narrative'),
  ]);
}

const RUN = `
SELECT outcome, reason, reference, hold_id FROM core.run_operations(
    $1::text[], $2::text[], $3::text[], $4::uuid[], $5::text[], $6::text[], $7::numeric[], $8::timestamp[],
    $9::text[], $10::text[]
) ORDER BY ord`;

/** The single function that does what an operation says. */
export async function runSingly(sql: Sql, each: Operation): Promise<Row> {
  const { key, digest, holdId, original, wallet, amount, expiresAt, reference, narrative } = each;
  const [text, values] = {
    HOLD: [PLACE, [key, digest, wallet, amount, expiresAt, narrative]],
    CAPTURE: [CAPTURE, [key, digest, holdId, wallet, amount, reference, narrative]],
    RELEASE: [CLOSE, [holdId, 'RELEASED']],
    REVERSE: [REVERSE, [key, digest, original, amount, reference, narrative]],
    ASSIGN: [ASSIGN, [original, wallet, key, digest]],
  }[each.kind] as [string, (string | null)[]];
  const [row] = await sql(`SELECT outcome, reason FROM ${text}`, values);
  return row ?? {};
}

const PLACE = 'core.place_hold($1, $2, $3, $4, $5, $6)';
const CAPTURE = 'core.capture_hold($1, $2, $3, $4, $5, $6, $7)';
const CLOSE = 'core.release_hold($1, $2)';
const REVERSE = 'core.reverse_transaction($1, $2, $3, $4, $5, $6)';
const ASSIGN = 'core.assign_suspense($1, $2, $3, $4)';

let names = 0;

/** A hold with a key of its own. */
export function holdOf(wallet: string, amount = '1.00'): Operation {
  names += 1;
  return operation('HOLD', { wallet, amount, key: `batch-${process.pid}-${names}`, digest: 'digest' });
}

/** The capture of a whole hold, with a key of its own. */
export function captureOf(holdId: string, wallet: string): Operation {
  const facts = { holdId, wallet, key: `${holdId}-c`, digest: 'digest' };
  return operation('CAPTURE', { ...facts, reference: `DF-${holdId.slice(-12)}` });
}
