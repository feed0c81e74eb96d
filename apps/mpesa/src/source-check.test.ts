import { expect, test } from 'vitest';
import { createSourceCheck } from './source-check.ts';

const ALLOWLIST = ['196.201.214.200'];

test('logging lets everybody in and reports each unlisted address once', () => {
  const check = createSourceCheck({ mode: 'log', allowlist: ALLOWLIST });
  expect(check('196.201.214.200')).toEqual({ allowed: true, isListed: true, isNews: false });
  expect(check('10.0.0.1')).toEqual({ allowed: true, isListed: false, isNews: true });
  expect(check('10.0.0.1')).toEqual({ allowed: true, isListed: false, isNews: false });
});

test('enforcing lets only the listed in', () => {
  const check = createSourceCheck({ mode: 'enforce', allowlist: ALLOWLIST });
  expect(check('196.201.214.200').allowed).toBe(true);
  expect(check('10.0.0.1').allowed).toBe(false);
  expect(check('unknown').allowed).toBe(false);
});

test('switched off it reports nobody', () => {
  const check = createSourceCheck({ mode: 'off', allowlist: [] });
  expect(check('10.0.0.1')).toEqual({ allowed: true, isListed: true, isNews: false });
});

test('a flood of addresses is not remembered without end', () => {
  const check = createSourceCheck({ mode: 'log', allowlist: [] });
  const verdicts = Array.from({ length: 1_500 }, (_, at) =>
    check(`10.0.${String(at >> 8)}.${String(at & 255)}`),
  );
  expect(verdicts.filter((verdict) => verdict.isNews)).toHaveLength(1_000);
});
