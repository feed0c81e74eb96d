import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { maskUrls } from './trace.ts';

describe('masking', () => {
  it('hides the password of every connection string in a text', () => {
    // Letters that occur nowhere else, so that finding them means that they were not hidden.
    const password = fc.string({
      unit: fc.constantFrom('X', 'Y', 'Z', '%', '!', ':'),
      minLength: 4,
      maxLength: 20,
    });
    fc.assert(
      fc.property(fc.array(password, { minLength: 1, maxLength: 3 }), (passwords) => {
        const text = passwords.map((secret) => `to postgresql://user:${secret}@host/db`).join(', ');
        expect(maskUrls(text)).not.toMatch(/[XYZ]/);
        expect(maskUrls(text)).toContain('@host/db');
      }),
    );
  });
});
