import type { Db } from './db.ts';
import { toDaftariError } from './database-error.ts';
import type { Handle } from './handle.ts';
import { transaction } from './transaction.ts';

/**
 * Runs `work` in one transaction on a connection of its own, for work that sends many megabytes over minutes: it takes no
 * connection from the pool, and the statements pass no layer that copies them. Behind a pooler, which offers no such
 * connection, it is `transaction`.
 *
 * Unlike there, `work` runs once: a deadlock that undid it is thrown as `database_busy`. The handle's `prisma` is outside of
 * the transaction.
 *
 * @throws DaftariError, and whatever `work` throws
 */
export async function longTransaction<Result>(
  db: Db,
  work: (handle: Handle) => Promise<Result>,
  { timeoutMs }: { readonly timeoutMs: number },
): Promise<Result> {
  if (db.connect === null) return transaction(db, work, { timeoutMs });
  const client = await db.connect();
  const run: Handle['run'] = async (statement, values) => {
    try {
      const { name, text } = await db.form.fit(statement, (question) => run(question, []));
      return (await client.query<Record<string, unknown>>({ name, text, values: [...values] })).rows;
    } catch (error) {
      throw toDaftariError(error);
    }
  };
  const control = (text: string) => run({ name: `long_${text.toLowerCase()}`, text }, []);
  try {
    await control('BEGIN');
    const handle: Handle = {
      get prisma() {
        return db.prisma;
      },
      form: db.form,
      run,
    };
    const result = await work(handle);
    await control('COMMIT');
    return result;
  } finally {
    // A connection that ends takes what is not committed with it.
    await client.end();
  }
}
