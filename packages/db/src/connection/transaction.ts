import type { Db } from './db.ts';
import type { Form, Handle } from './handle.ts';
import { isOfDatabase, isTransient, toDaftariError } from './database-error.ts';
import type { Prisma } from '../generated/client.ts';
import { retry } from './retry.ts';

export interface TransactionOptions {
  /** How long the whole may take before the database rolls it back, in milliseconds. Default: 10,000. */
  readonly timeoutMs?: number;
  /** Every statement sees the database as the first one saw it. Default: false. */
  readonly isSnapshot?: boolean;
  /** Whether a snapshot may do no more than read. Default: true. */
  readonly isReadOnly?: boolean;
}

/**
 * Runs `work` in one database transaction: all of it is committed, or none. Functions of this package take the
 * handle that `work` is given, and its `prisma` writes into the same transaction.
 *
 * After a deadlock or a serialization failure the whole is undone and `work` runs again, up to five times: it must
 * have no effect outside the database. An error of the database that `work` catches and swallows still undoes
 * everything, and is reported as `transaction_lost` instead of success.
 *
 * A refusal (`insufficient_funds` and its like, an error without a `cause`) is remembered under its key when the
 * transaction commits. One that leaves `work` undoes its own memory with everything else: nothing has happened, the key
 * is free, and the same request is judged again. One that `work` catches has undone nothing and is remembered.
 *
 * @throws DaftariError, and whatever `work` throws
 */
export async function transaction<Result>(
  db: Db,
  work: (handle: Handle) => Promise<Result>,
  options: TransactionOptions = {},
): Promise<Result> {
  const { timeoutMs: timeout = 10_000, isSnapshot = false, isReadOnly = true } = options;
  const begun = async (tx: Prisma.TransactionClient): Promise<Result> => {
    if (isSnapshot && isReadOnly) await tx.$executeRawUnsafe('SET TRANSACTION READ ONLY');
    return work(handleOf(tx, db.form));
  };
  const settings = { timeout, ...(isSnapshot ? { isolationLevel: 'RepeatableRead' as const } : {}) };
  return retry(() => db.prisma.$transaction(begun, settings), isTransient).catch((error: unknown) => {
    // What `work` throws for reasons of its own is the caller's and stays as it is.
    throw isOfDatabase(error) ? toDaftariError(error) : error;
  });
}

function handleOf(prisma: Prisma.TransactionClient, form: Form): Handle {
  const run: Handle['run'] = async (statement, values) => {
    try {
      const { text } = await form.fit(statement, (question) => run(question, []));
      return await prisma.$queryRawUnsafe<unknown[]>(text, ...values);
    } catch (error) {
      throw toDaftariError(error);
    }
  };
  return { prisma, form, run };
}
