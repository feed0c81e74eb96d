import { expect, test } from 'vitest';
import { z } from 'zod';
import { EnvironmentError, parseEnvironment } from './env.ts';

const schema = z.object({
  DATABASE_URL: z.url().describe('the address of the database, postgresql://...'),
  PORT: z.coerce.number().int().min(1).max(65_535).default(4002).describe('the port to listen on'),
  TOKEN: z.string().describe('an unguessable text'),
});

function messageFor(environment: Record<string, string>): string {
  try {
    parseEnvironment('mpesa', schema, environment);
  } catch (error) {
    if (error instanceof EnvironmentError) return error.message;
    throw error;
  }
  throw new Error('the environment was accepted');
}

test('a complete environment gives typed settings and ignores everything else', () => {
  const settings = parseEnvironment('mpesa', schema, {
    DATABASE_URL: 'postgresql://h/d',
    TOKEN: 't',
    HOME: '/root',
  });
  expect(settings).toEqual({ DATABASE_URL: 'postgresql://h/d', PORT: 4002, TOKEN: 't' });
});

test('every variable that is missing is named at once with what to set', () => {
  const message = messageFor({});
  expect(message).toContain('mpesa cannot start');
  expect(message).toContain('DATABASE_URL  is not set: the address of the database');
  expect(message).toContain('TOKEN         is not set: an unguessable text');
  expect(message).not.toContain('PORT');
});

test('an empty variable counts as absent', () => {
  expect(messageFor({ DATABASE_URL: 'postgresql://h/d', TOKEN: '' })).toContain('TOKEN  is not set');
});

test('a wrong value is named but not repeated', () => {
  const message = messageFor({ DATABASE_URL: 'hunter2', TOKEN: 't', PORT: '70000' });
  expect(message).toContain('DATABASE_URL  is not valid');
  expect(message).toContain('PORT          is not valid');
  expect(message).not.toContain('hunter2');
});
