import fc from 'fast-check';
import { expect, test } from 'vitest';
import { createErrorSerializer } from './error-log.ts';

class Trusted extends Error {
  override readonly name = 'Trusted';
  readonly code = 'known_trouble';
}

const serialize = createErrorSerializer([Trusted]);

test('a foreign message never gets into the log, whatever it looks like', () => {
  const secret = 'SECRET-254712345678';
  const around = fc.string({ unit: fc.constantFrom('\n', '    at ', 'x', ':', '(', ')') });
  fc.assert(
    fc.property(around, around, (before, after) => {
      const inner = new Error(`${before}${secret}${after}`);
      const outer = new Trusted('a known trouble', { cause: inner });
      expect(JSON.stringify(serialize(outer))).not.toContain(secret);
    }),
  );
});

test('a trusted error keeps its message, its code and the type of its cause', () => {
  const error = new Trusted('the queue is full', { cause: new TypeError('quoted body') });
  expect(serialize(error)).toMatchObject({
    type: 'Trusted',
    code: 'known_trouble',
    message: 'the queue is full',
    cause: { type: 'TypeError' },
  });
});

test('an error of the operating system keeps its message', () => {
  const error = Object.assign(new Error('connect ECONNREFUSED 127.0.0.1:5432'), {
    code: 'ECONNREFUSED',
    syscall: 'connect',
  });
  expect(serialize(error)).toMatchObject({
    code: 'ECONNREFUSED',
    message: 'connect ECONNREFUSED 127.0.0.1:5432',
  });
});

test('the frames lead to the place', () => {
  expect(serialize(new Error('x')).frames?.[0]).toContain('error-log.test.ts');
});

test('a chain of causes that loops ends', () => {
  const error = new Trusted('loop');
  error.cause = error;
  expect(JSON.stringify(serialize(error)).match(/known_trouble/g)).toHaveLength(6);
});

test('something thrown that is not an error leaves only its type', () => {
  expect(serialize('254712345678')).toEqual({ type: 'string' });
});
