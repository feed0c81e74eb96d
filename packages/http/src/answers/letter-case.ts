import { z } from 'zod';

/**
 * A state, kind, type or outcome as it goes over HTTP: in lower case, while the database keeps it in upper case
 * (docs/decisions/013).
 */
export function lowerCase<Word extends string>(word: Word): Lowercase<Word> {
  return word.toLowerCase() as Lowercase<Word>;
}

/** A query parameter that is one of the words, which are in lower case; callers may write them in any case. */
export function wordParameter<const Words extends readonly [string, ...string[]]>(words: Words) {
  return z.preprocess((value) => (typeof value === 'string' ? value.toLowerCase() : value), z.enum(words));
}
