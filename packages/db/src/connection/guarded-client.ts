import type { Socket } from 'node:net';
import { Client } from 'pg';
import { DaftariError } from '../errors.ts';

type Answered = (error: unknown, result: unknown) => void;

/**
 * A client that refuses to take for done what is not.
 *
 * PostgreSQL answers COMMIT with "ROLLBACK", and no error, when an earlier statement of the transaction failed and its
 * error was caught. The caller would believe that money moved which did not.
 *
 * It answers a commit as done, with a warning, when somebody cancels its wait for the synchronous standby. The standby may
 * not have it, and then a failover takes it back: nobody knows yet.
 */
export class GuardedClient extends Client {
  /** Called when a statement fails; the pool looks for what that says of the server. */
  onFailure: (error: unknown) => void = () => undefined;
  #isUnconfirmed = false;

  constructor(...settings: ConstructorParameters<typeof Client>) {
    super(...settings);
    this.on('notice', ({ routine }) => {
      // The function of the server that waits: its words are translated, its name is not.
      if (routine === 'SyncRepWaitForLSN') this.#isUnconfirmed = true;
    });
  }

  // pg declares many overloads; this passes all of them through and looks only at what comes back.
  override query = ((...args: Parameters<Client['query']>) => {
    const [statement] = args;
    const last: unknown = args.at(-1);
    if (typeof last === 'function') {
      const answered: Answered = (error, result) => {
        if (error) this.onFailure(error);
        (last as Answered)(error ?? this.#doubt(), result);
      };
      return Client.prototype.query.apply(this, [...args.slice(0, -1), answered] as unknown as typeof args);
    }
    const answer: unknown = Client.prototype.query.apply(this, args);
    if (!(answer instanceof Promise)) return answer;
    const checked = (result: unknown) => {
      const doubt = this.#doubt();
      if (doubt !== undefined) throw doubt;
      return isCommit(statement) ? refuseRollback(result) : result;
    };
    return answer.then(checked, (error: unknown) => {
      this.onFailure(error);
      throw error;
    });
  }) as Client['query'];

  /** Lets the connection go without a word to its server: statements under way fail as of unknown outcome. */
  abandon(): void {
    // pg's types leave its connection out.
    const { connection } = this as unknown as { readonly connection: { readonly stream: Socket } };
    connection.stream.destroy();
  }

  /** Whether the server said of this statement's commit that nobody waited for the standby. */
  #doubt(): DaftariError | undefined {
    if (!this.#isUnconfirmed) return undefined;
    this.#isUnconfirmed = false;
    return new DaftariError('outcome_unknown', { advice: UNCONFIRMED });
  }
}

const UNCONFIRMED =
  'The wait for the synchronous standby was cancelled, so a failover may still undo the work. Repeat it with the same reference: it is done once.';

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
