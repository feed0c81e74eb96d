import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { ROOT } from '../env.ts';
import { fillIn } from './template.ts';

test('a template gets its values wherever it names them', () => {
  expect(fillIn('${A}:${B}:${A}', { A: '1', B: '$&' })).toBe('1:$&:1');
});

test('a value that is missing, and one that is not named, are mistakes', () => {
  expect(() => fillIn('${A} ${B}', { A: '1' })).toThrow('needs B');
  expect(() => fillIn('${A}', { A: '1', C: '2' })).toThrow('does not name C');
});

test('the configuration of a node is strict, and Patroni has the time that it needs within its ttl', async () => {
  const text = await readFile(join(ROOT, 'deploy/patroni/patroni.yml'), 'utf8');
  const numberOf = (name: string) => Number(new RegExp(`^    ${name}: (\\d+)$`, 'm').exec(text)?.[1]);
  expect(numberOf('loop_wait') + 2 * numberOf('retry_timeout')).toBeLessThanOrEqual(numberOf('ttl'));
  for (const name of ['synchronous_mode', 'synchronous_mode_strict']) {
    expect(text).toMatch(new RegExp(`^    ${name}: \\$\\{SYNCHRONOUS\\}$`, 'm'));
  }
});
