import type { Ask, Form, Statement } from './handle.ts';

/** The form of one database. Before it is distributed its services are stopped, so what was answered once holds. */
export class RememberedForm implements Form {
  #isDistributed: boolean | null = null;

  async isDistributed(ask: Ask): Promise<boolean> {
    this.#isDistributed ??= isYes(await ask(QUESTION));
    return this.#isDistributed;
  }

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
