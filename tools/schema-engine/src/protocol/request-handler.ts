import type { ApplyMigrationsInput, SchemaEngine } from '@prisma/schema-engine-wasm/schema_engine_bg';
import { adapterFactory } from '../connection/adapter-factory.ts';
import { DIRECT_METHODS } from './direct-methods.ts';
import { ERRORS } from '../errors.ts';
import { appliedMigrations } from '../scripts/applied-migrations.ts';
import { migrationFailure, missingFile, unreadableText } from '../scripts/migration-failure.ts';
import type { MigrationDirectory } from '../scripts/migration-failure.ts';
import { METHODS } from './rpc-methods.ts';
import { rpcError } from './rpc-messages.ts';
import type { RpcOutcome, RpcRequest } from './rpc-messages.ts';
import type { Print } from './rpc-server.ts';
import type { Session } from '../connection/session.ts';
import { loadWasm } from '../wasm-engine.ts';
import type { WasmModule } from '../wasm-engine.ts';

/**
 * Answers requests with one engine, started at the first that needs it: `migrate dev` relies on what the engine
 * remembers from one request to the next.
 */
export class RequestHandler {
  readonly #session: Session;
  readonly #schemas: [path: string, content: string][];
  #wasm: WasmModule | undefined;
  #engine: SchemaEngine | undefined;

  constructor(session: Session, schemas: [path: string, content: string][]) {
    this.#session = session;
    this.#schemas = schemas;
  }

  async handle(request: RpcRequest, print: Print): Promise<RpcOutcome> {
    this.#session.trace('request', request.method);
    this.#session.failure = undefined;
    this.#session.scriptFailure = undefined;
    this.#session.lockHolder = undefined;
    try {
      const result = await this.#answer(request, print);
      // The engine may have swallowed an error and answered as if nothing had happened.
      if (this.#session.failure) throw this.#session.failure;
      return { result: result ?? null };
    } catch (error) {
      return { error: rpcError(this.#explain(error, request)) };
    }
  }

  async #answer({ method, params }: RpcRequest, print: Print): Promise<unknown> {
    const direct = DIRECT_METHODS[method];
    if (direct) {
      if (!this.#session.main) throw ERRORS.noUrl();
      return direct(this.#session.main, params as never, this.#session);
    }
    const call = METHODS[method];
    if (!call) throw ERRORS.unknownMethod(method);
    if (method === 'applyMigrations') await this.#refuseUnreadable(migrationsOf(params));
    const wasm = (this.#wasm ??= await loadWasm());
    return wasm.call(async () => call(await this.#start(wasm), params as never, print));
  }

  async #start(wasm: WasmModule): Promise<SchemaEngine> {
    this.#engine ??= await wasm.start({
      schemas: this.#schemas,
      adapters: adapterFactory(this.#session),
      log: (line) => this.#session.trace('engine', line),
    });
    return this.#engine;
  }

  /** Before any is begun: one that fails half-way has to be resolved by hand. What is applied already is past. */
  async #refuseUnreadable(migrations: readonly MigrationDirectory[]): Promise<void> {
    const { main } = this.#session;
    if (!main || unreadableText(migrations) === undefined) return;
    const applied = await appliedMigrations(main);
    const fault = unreadableText(migrations.filter(({ path }) => !applied.has(path)));
    if (fault) throw fault;
  }

  /** What really went wrong, which is more than what the engine says of it. */
  #explain(error: unknown, { method, params }: RpcRequest): unknown {
    const { failure, lockHolder, scriptFailure } = this.#session;
    this.#session.trace('error', error instanceof Error ? error.message : error);
    const migrations = migrationsOf(params);
    if (errorCode(error) === 'P1002' && error instanceof Error && lockHolder !== undefined) {
      return ERRORS.lockHeld(error.message, lockHolder);
    }
    if (errorCode(error) === 'P3015') return missingFile(migrations) ?? error;
    const failed =
      method === 'applyMigrations' && scriptFailure && migrationFailure(scriptFailure, migrations);
    return failed || failure || error;
  }
}

/** The migrations that a request speaks of, if it speaks of any. */
function migrationsOf(params: unknown): readonly MigrationDirectory[] {
  const { migrationsList } = (params ?? {}) as Partial<ApplyMigrationsInput>;
  return migrationsList?.migrationDirectories ?? [];
}

function errorCode(error: unknown): unknown {
  return error instanceof Error ? Reflect.get(error, 'code') : undefined;
}
