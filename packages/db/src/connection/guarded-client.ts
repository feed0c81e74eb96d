import { Client } from 'pg';
import { DaftariError } from '../errors.ts';

/**
 * A client that refuses to take a rollback for a commit.
 *
 * PostgreSQL answers COMMIT with "ROLLBACK", and no error, when an earlier statement of the transaction failed and its
 * error was caught. The caller would believe that money moved which did not.
 */
export class GuardedClient extends Client {
  // pg declares many overloads; this passes all of them through and looks only at what comes back from a COMMIT.
  override query = ((...args: Parameters<Client['query']>) => {
    const answer: unknown = Client.prototype.query.apply(this, args);
    return isCommit(args[0]) && answer instanceof Promise ? answer.then(refuseRollback) : answer;
  }) as Client['query'];
}

function isCommit(statement: unknown): boolean {
  const text = typeof statement === 'string' ? statement : textOf(statement);
  return text !== undefined && /^\s*COMMIT\s*;?\s*$/i.test(text);
}

function textOf(statement: unknown): string | undefined {
  const holds = typeof statement === 'object' && statement !== null && 'text' in statement;
  return holds && typeof statement.text === 'string' ? statement.text : undefined;
}

function refuseRollback(result: unknown): unknown {
  const command = (result as { command?: string }).command;
  if (command !== 'COMMIT') throw new DaftariError('transaction_lost');
  return result;
}
