import { readFile } from 'node:fs/promises';
import { bindMigrationAwareSqlAdapterFactory } from '@prisma/driver-adapter-utils';
import type { SqlMigrationAwareDriverAdapterFactory } from '@prisma/driver-adapter-utils';
import * as glue from '@prisma/schema-engine-wasm/schema_engine_bg';
import type { SchemaEngine } from '@prisma/schema-engine-wasm/schema_engine_bg';
import { watchPanics } from './wasm-panic.ts';

/** The WebAssembly module, loaded. */
export interface WasmModule {
  /** Which engine this is, with its version. */
  readonly name: string;
  start(input: EngineInput): Promise<SchemaEngine>;
  /** Runs a call into the module. It rejects when the module panics, where the call alone would never settle. */
  call<T>(work: () => Promise<T>): Promise<T>;
}

interface EngineInput {
  readonly schemas: [path: string, content: string][];
  readonly adapters: SqlMigrationAwareDriverAdapterFactory;
  readonly log: (line: string) => void;
}

/** Compiles and links the module. Its glue code expects to be imported under its own name. */
export async function loadWasm(): Promise<WasmModule> {
  const panics = watchPanics();
  const file = new URL(
    'schema_engine_bg.wasm',
    import.meta.resolve('@prisma/schema-engine-wasm/schema_engine_bg'),
  );
  const { instance } = await WebAssembly.instantiate(await readFile(file), {
    './schema_engine_bg.js': { ...glue, ...timers() },
  });
  glue.__wbg_set_wasm(instance.exports);
  const start = instance.exports['__wbindgen_start'];
  if (typeof start === 'function') start();
  return {
    name: `schema-engine-wasm ${glue.version()}`,
    start: ({ schemas, adapters, log }) =>
      glue.SchemaEngine.new(
        { datamodels: schemas.length > 0 ? schemas : undefined },
        log,
        bindMigrationAwareSqlAdapterFactory(adapters),
      ),
    call: async (work) => {
      panics.throwIfPanicked();
      return Promise.race([work(), panics.next]);
    },
  };
}

/**
 * What the module takes for setTimeout, without holding the process. It sets the time after which it gives up the
 * migration lock and never clears it, so that the process would live on for ten seconds after its last answer.
 */
function timers(): WebAssembly.ModuleImports {
  const set = (run: () => void, milliseconds: number) => setTimeout(run, milliseconds).unref();
  const names = Object.keys(glue).filter((name) => name.startsWith('__wbg_setTimeout_'));
  return Object.fromEntries(names.map((name) => [name, set]));
}
