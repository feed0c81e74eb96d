import { describe, expect, it } from 'vitest';
import { readComments } from './sql-comments.ts';

const parameterOf = (comment: string, enums: string[] = []) => readComments(comment, enums).parameters.get(1);

describe('the comments of a TypedSQL file', () => {
  it('give the type, name and description of a parameter, each of which may be absent', () => {
    const nothing = { type: undefined, name: undefined, nullable: false, documentation: null };
    expect(parameterOf('-- @param $1')).toEqual(nothing);
    expect(parameterOf('-- @param $1:id')).toEqual({ ...nothing, name: 'id' });
    expect(parameterOf('  --@param {Int} $1:id? the number')).toEqual({
      type: 'int',
      name: 'id',
      nullable: true,
      documentation: 'the number',
    });
    expect(parameterOf('-- @param {kind} $1 a kind\r', ['kind'])).toEqual({
      ...nothing,
      type: 'kind',
      documentation: 'a kind',
    });
  });

  it('give the description of the query', () => {
    expect(readComments('-- @description  All wallets. \nSELECT 1', []).description).toBe('All wallets.');
    expect(readComments('SELECT 1 -- @description no', []).description).toBeNull();
  });

  it.each([
    ['-- @param id', 'expected'],
    ['-- @param {Int $1', 'expected'],
    ['-- @param {Number} $1', 'unknown type Number; accepted are Int'],
    ['-- @param $1\n-- @param $1', 'described twice'],
  ])('are refused when they read %j', (comment, reason) => {
    expect(() => readComments(comment, [])).toThrow(reason);
  });
});
