import { connectTo } from '@repo/database-url';
import type { Client } from 'pg';
import { execute } from './database.ts';

/**
 * A connection that stays open between statements: a new one costs the server a process, which takes longer than most
 * statements of a test. It is opened by the first statement, does not keep this process alive, and is opened again when
 * it was cut. A statement that finds it busy takes a connection of its own, so that nothing waits for another one's lock.
 */
export class Session implements AsyncDisposable {
  readonly #url: string;
  #opened: Promise<Client> | null = null;
  #isBusy = false;

  constructor(url: string) {
    this.#url = url;
  }

  /** Runs SQL, one statement or many without parameters. What it sets for its session holds for the next as well. */
  readonly query = async (sql: string): Promise<Record<string, unknown>[]> => {
    if (this.#isBusy) return execute(this.#url, sql);
    this.#isBusy = true;
    try {
      const client = await (this.#opened ??= this.#open());
      const { rows } = await client.query<Record<string, unknown>>(sql);
      return rows;
    } finally {
      this.#isBusy = false;
    }
  };

  async [Symbol.asyncDispose](): Promise<void> {
    const opened = this.#opened;
    this.#opened = null;
    await (await opened?.catch(() => null))?.end();
  }

  async #open(): Promise<Client> {
    try {
      const client = await connectTo(this.#url);
      const forget = (): void => {
        this.#opened = null;
      };
      client.on('error', forget);
      client.on('end', forget);
      (client as Client & { unref(): void }).unref();
      return client;
    } catch (error) {
      this.#opened = null;
      throw error;
    }
  }
}
