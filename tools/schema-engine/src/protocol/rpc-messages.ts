import { EnginePanic, ERRORS } from '../errors.ts';

/** A JSON-RPC request of the CLI. */
export interface RpcRequest {
  readonly id: number | string | null;
  readonly method: string;
  readonly params: unknown;
}

/** What the engine answers: exactly one of the two for each request. */
export type RpcOutcome = { readonly result: unknown } | { readonly error: RpcError };

/** The form in which the CLI expects errors. */
export interface RpcError {
  readonly code: number;
  readonly message: string;
  readonly data: {
    readonly is_panic: boolean;
    readonly message: string;
    readonly meta: unknown;
    readonly error_code: unknown;
  };
}

/** The code that the native engine uses for every error that is not one of the protocol itself. */
const ENGINE_ERROR = 4466;

/** Reads one line of standard input. Undefined for what asks for nothing: the CLI's answers to `print` requests. */
export function parseRequest(line: string): RpcRequest | undefined {
  const message = parseJson(line);
  if (typeof message !== 'object' || message === null || !('method' in message)) return undefined;
  if (typeof message.method !== 'string') return undefined;
  const id =
    'id' in message && (typeof message.id === 'number' || typeof message.id === 'string') ? message.id : null;
  return { id, method: message.method, params: 'params' in message ? message.params : undefined };
}

/** An error in the protocol's form. Those of the WebAssembly engine carry `code` and `meta` as ours do. */
export function rpcError(error: unknown): RpcError {
  const message = error instanceof Error ? error.message : String(error);
  return {
    code: ENGINE_ERROR,
    // The CLI shows the message in `data`, but of a panic this one.
    message,
    data: {
      is_panic: error instanceof EnginePanic,
      message,
      meta: property(error, 'meta') ?? null,
      error_code: property(error, 'code') ?? null,
    },
  };
}

function property(error: unknown, name: string): unknown {
  return typeof error === 'object' && error !== null ? Reflect.get(error, name) : undefined;
}

function parseJson(line: string): unknown {
  try {
    return JSON.parse(line);
  } catch {
    // The parser's message would quote the line, which may hold a connection string.
    throw ERRORS.notJson('A request');
  }
}
