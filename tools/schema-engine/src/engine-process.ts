import { readFile } from 'node:fs/promises';
import { parseArguments } from './arguments.ts';
import type { Invocation } from './arguments.ts';
import { runCommand } from './cli-commands.ts';
import { parseConnectionUrl } from './connection/connection-url.ts';
import { readEnvironment } from './env.ts';
import { EngineError } from './errors.ts';
import { RequestHandler } from './protocol/request-handler.ts';
import { rpcError } from './protocol/rpc-messages.ts';
import { serveRequests } from './protocol/rpc-server.ts';
import type { Handler, Streams } from './protocol/rpc-server.ts';
import { cancelRunning, cleanUp } from './connection/session.ts';
import type { Session } from './connection/session.ts';
import { logFailure, logInfo } from './stderr-log.ts';
import { stopSignal } from './stop-signal.ts';
import { openTrace } from './trace.ts';
import { loadWasm } from './wasm-engine.ts';

/**
 * The engine from its start to its end.
 *
 * @returns the exit code: 0 if it served until its input ended or it was told to stop, 1 if it could not
 */
export async function runEngine(args: readonly string[], { stdin, stdout }: NodeJS.Process): Promise<number> {
  try {
    const invocation = parseArguments(args);
    if (invocation.version) {
      stdout.write(`${(await loadWasm()).name}\n`);
      return 0;
    }
    if (invocation.command !== undefined) return await runCommand(invocation.command, invocation.datasource);
    await serve(invocation, { input: stdin, output: stdout });
    return 0;
  } catch (error) {
    logInfo('The schema engine could not go on.');
    logFailure(error);
    return 1;
  }
}

async function serve(invocation: Invocation, streams: Streams): Promise<void> {
  const stop = stopSignal();
  let session: Session;
  let handle: Handler;
  try {
    session = openSession(invocation, stop);
    const handler = new RequestHandler(session, await readSchemas(invocation));
    handle = (request, print) => handler.handle(request, print);
  } catch (error) {
    // The CLI shows an answer better than an exit: with its code, and once.
    if (!(error instanceof EngineError)) throw error;
    return serveRequests(streams, () => Promise.resolve({ error: rpcError(error) }), stop);
  }
  stop.addEventListener('abort', () => void cancelRunning(session));
  try {
    await serveRequests(streams, handle, stop);
  } finally {
    await cleanUp(session);
  }
}

function openSession({ datasource }: Invocation, stop: AbortSignal): Session {
  const environment = readEnvironment();
  const { url, shadowDatabaseUrl } = datasource;
  return {
    trace: openTrace(environment.logFile),
    main: url === undefined ? undefined : parseConnectionUrl(url),
    shadow: shadowDatabaseUrl === undefined ? undefined : parseConnectionUrl(shadowDatabaseUrl),
    advisoryLock: !environment.advisoryLockDisabled,
    stop,
    connections: new Set(),
    cleanups: new Set(),
    failure: undefined,
    recorded: [],
    scriptFailure: undefined,
    lockHolder: undefined,
  };
}

function readSchemas({ schemaFiles }: Invocation): Promise<[path: string, content: string][]> {
  return Promise.all(
    schemaFiles.map(async (path) => [path, await readFile(path, 'utf8')] as [string, string]),
  );
}
