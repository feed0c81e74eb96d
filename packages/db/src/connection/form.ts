import type { Statement } from './handle.ts';

type Ask = (statement: Statement) => Promise<readonly unknown[]>;

/**
 * Remembers whether a database lies on one server or on several, which `db:distribute` made of it. The first statement that
 * has two texts asks; before a database is distributed its services are stopped.
 */
export class Form {
  #isDistributed: boolean | null = null;

  async isDistributed(ask: Ask): Promise<boolean> {
    this.#isDistributed ??= isYes(await ask(QUESTION));
    return this.#isDistributed;
  }

  /** The statement as this database can be asked it. */
  async fit(statement: Statement, ask: Ask): Promise<Statement> {
    if (statement.overNodes === undefined || !(await this.isDistributed(ask))) return statement;
    return { name: statement.name, text: statement.overNodes };
  }
}

function isYes([row]: readonly unknown[]): boolean {
  return (row as { readonly is?: unknown } | undefined)?.is === true;
}

const QUESTION: Statement = {
  name: 'form_is_distributed',
  text: `SELECT to_regclass('lanes.claims') IS NOT NULL AS is`,
};
