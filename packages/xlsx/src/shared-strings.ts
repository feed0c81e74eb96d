import { closeSync, mkdtempSync, openSync, readSync, rmSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** Texts in one block of the file: few, for a payer who paid before is one text anywhere in it. */
const BLOCK = 32;

/** Blocks that are kept in the memory. */
const KEPT = 2_048;

/**
 * The texts that the cells of a workbook share. Those of a million rows do not fit in the memory of a service, so they lie
 * in a temporary file, in blocks. Sheets refer to new texts in their order, and to those of rows before in any.
 */
export class SharedStrings implements Disposable {
  readonly #folder = mkdtempSync(join(tmpdir(), 'daftari-strings-'));
  readonly #file = openSync(join(this.#folder, 'strings'), 'w+', 0o600);
  readonly #ends: number[] = [];
  readonly #blocks = new Map<number, readonly string[]>();
  #open: string[] = [];

  add(text: string): void {
    this.#open.push(text);
    if (this.#open.length === BLOCK) this.#write();
  }

  /** The text with this number, counted from 0; undefined when there is none. */
  get(index: number): string | undefined {
    const block = Math.floor(index / BLOCK);
    const texts = block === this.#ends.length ? this.#open : this.#read(block);
    return texts?.[index % BLOCK];
  }

  [Symbol.dispose](): void {
    closeSync(this.#file);
    rmSync(this.#folder, { recursive: true, force: true });
  }

  #write(): void {
    const bytes = Buffer.from(JSON.stringify(this.#open));
    const start = this.#ends.at(-1) ?? 0;
    writeSync(this.#file, bytes, 0, bytes.length, start);
    this.#ends.push(start + bytes.length);
    this.#open = [];
  }

  #read(block: number): readonly string[] | undefined {
    const known = this.#blocks.get(block);
    if (known !== undefined) {
      // The block that was used last is the last to go.
      this.#blocks.delete(block);
      this.#blocks.set(block, known);
      return known;
    }
    const [start = 0, end] = [this.#ends[block - 1], this.#ends[block]];
    if (end === undefined) return undefined;
    const bytes = Buffer.alloc(end - start);
    readSync(this.#file, bytes, 0, bytes.length, start);
    const texts = JSON.parse(bytes.toString()) as string[];
    this.#blocks.set(block, texts);
    const [oldest] = this.#blocks.keys();
    if (this.#blocks.size > KEPT && oldest !== undefined) this.#blocks.delete(oldest);
    return texts;
  }
}
