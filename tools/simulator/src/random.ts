import { createHash } from 'node:crypto';

/** Chance that can be repeated: the same seed gives the same sequence. Not for secrets. */
export interface Random {
  /** A whole number from 0 to `below - 1`; `below` is 1 to 2^32. */
  integer(below: number): number;
  /** One of the items, each equally likely. */
  pick<T>(items: readonly [T, ...T[]]): T;
  /** A text of the given length out of the characters of an alphabet. */
  text(length: number, alphabet: string): string;
}

/** Creates a sequence from a seed: the digests of the seed with a counter, four bytes at a time. */
export function createRandom(seed: string): Random {
  let counter = 0;
  let block = Buffer.alloc(0);

  function word(): number {
    if (block.length === 0) {
      block = createHash('sha256')
        .update(`${seed}:${String(counter)}`)
        .digest();
      counter += 1;
    }
    const value = block.readUInt32BE(0);
    block = block.subarray(4);
    return value;
  }

  /** Words in the last, incomplete run of `below` are drawn again: they would favour the small numbers. */
  function integer(below: number): number {
    const limit = Math.floor(2 ** 32 / below) * below;
    for (;;) {
      const value = word();
      if (value < limit) return value % below;
    }
  }

  return {
    integer,
    pick: (items) => items[integer(items.length)] ?? items[0],
    text: (length, alphabet) =>
      Array.from({ length }, () => alphabet.charAt(integer(alphabet.length))).join(''),
  };
}
