import { accessSync, constants } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { useSchemaEngine } from './config.ts';

describe('useSchemaEngine', () => {
  it("names this package's engine, which is executable", () => {
    const env: NodeJS.ProcessEnv = {};
    useSchemaEngine(env);
    const engine = env['PRISMA_SCHEMA_ENGINE_BINARY'] ?? '';
    expect(engine).toMatch(/bin\/schema-engine\.mjs$/);
    expect(() => accessSync(engine, constants.X_OK)).not.toThrow();
  });

  it('names the native engine that the operator has', () => {
    const env: NodeJS.ProcessEnv = {};
    useSchemaEngine(env, process.execPath);
    expect(env['PRISMA_SCHEMA_ENGINE_BINARY']).toBe(process.execPath);
  });

  it('leaves what is set already', () => {
    const env: NodeJS.ProcessEnv = { PRISMA_SCHEMA_ENGINE_BINARY: '/operators/engine' };
    useSchemaEngine(env, '/no/such/engine');
    expect(env['PRISMA_SCHEMA_ENGINE_BINARY']).toBe('/operators/engine');
  });

  it('refuses a native engine that is not there', () => {
    expect(() => useSchemaEngine({}, '/no/such/engine')).toThrow('/no/such/engine');
  });
});
