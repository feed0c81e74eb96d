import type * as api from '@prisma/schema-engine-wasm/schema_engine_bg';
import type { Print } from './rpc-server.ts';

type Engine = api.SchemaEngine;
type Method = (engine: Engine, params: never, print: Print) => Promise<unknown>;

/** What the engine says when it does not remember the schema that a list of migrations makes. */
const NOT_REMEMBERED = 'shadow DB must be provided through an external factory';

/**
 * The methods that the WebAssembly engine answers. The CLI and the engine are of one version and agree on the
 * parameters; the engine itself refuses others.
 */
export const METHODS: Readonly<Record<string, Method>> = {
  applyMigrations: (engine, params: api.ApplyMigrationsInput) => engine.applyMigrations(params),
  createMigration: (engine, params: api.CreateMigrationInput) =>
    withHistory(engine, params, () => engine.createMigration(params)),
  debugPanic: async (engine) => engine.debugPanic(),
  devDiagnostic: (engine, params: api.DevDiagnosticInput) => engine.devDiagnostic(params),
  diagnoseMigrationHistory: (engine, params: api.DiagnoseMigrationHistoryInput) =>
    engine.diagnoseMigrationHistory(params),
  diff: async (engine, params: api.DiffParams, print) => {
    const { stdout, exitCode } = await engine.diff(params);
    if (stdout !== null) print(stdout);
    return { exitCode };
  },
  ensureConnectionValidity: (engine, params: api.EnsureConnectionValidityParams) =>
    engine.ensureConnectionValidity(params),
  evaluateDataLoss: (engine, params: api.EvaluateDataLossInput) =>
    withHistory(engine, params, () => engine.evaluateDataLoss(params)),
  getDatabaseVersion: (engine) => engine.version(),
  introspect: (engine, params: api.IntrospectParams) => engine.introspect(params),
  markMigrationApplied: (engine, params: api.MarkMigrationAppliedInput) =>
    engine.markMigrationApplied(params),
  markMigrationRolledBack: (engine, params: api.MarkMigrationRolledBackInput) =>
    engine.markMigrationRolledBack(params),
  reset: (engine, params: api.ResetInput) => engine.reset(params),
  schemaPush: (engine, params: api.SchemaPushInput) => engine.schemaPush(params),
};

/**
 * The WebAssembly engine can compute the schema that the migrations make only in `devDiagnostic`, from those that are
 * applied, and remembers it under the list of them. `migrate dev` first applies the pending ones; the two methods that
 * follow then ask for a longer list than was remembered, and fail. A second `devDiagnostic` makes it remember that too.
 */
async function withHistory<T>(
  engine: Engine,
  { migrationsList, filters }: api.DevDiagnosticInput,
  work: () => Promise<T>,
): Promise<T> {
  try {
    return await work();
  } catch (error) {
    const forgotten = error instanceof Error && error.message.includes(NOT_REMEMBERED);
    if (!forgotten) throw error;
  }
  await engine.devDiagnostic({ migrationsList, filters });
  return work();
}
