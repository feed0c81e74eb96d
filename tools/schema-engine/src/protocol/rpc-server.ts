import { createInterface } from 'node:readline';
import type { Readable, Writable } from 'node:stream';
import { parseRequest } from './rpc-messages.ts';
import type { RpcOutcome, RpcRequest } from './rpc-messages.ts';

/** Sends a request to the CLI; the only one there is makes it print a text. */
export type Print = (content: string) => void;

export interface Streams {
  readonly input: Readable;
  readonly output: Writable;
}
export type Handler = (request: RpcRequest, print: Print) => Promise<RpcOutcome>;

/**
 * Answers JSON-RPC requests, one a line, one after the other, until the input ends or `stop` fires. A request that is
 * under way when the input ends is finished: the database is then in a state that the history records truly.
 */
export async function serveRequests(
  { input, output }: Streams,
  handle: Handler,
  stop: AbortSignal,
): Promise<void> {
  const lines = createInterface({ input, crlfDelay: Infinity, signal: stop });
  // The CLI may be gone already; what it began is still to be cleaned up after.
  output.on('error', () => undefined);
  let printed = 0;
  const send = (message: object) => output.write(`${JSON.stringify({ jsonrpc: '2.0', ...message })}\n`);
  // The id must not be null or zero, or the CLI would not print; its answer is ignored.
  const print: Print = (content) =>
    send({ id: `print-${(printed += 1)}`, method: 'print', params: { content } });
  for await (const line of lines) {
    const request = line.trim() === '' ? undefined : parseRequest(line);
    if (request) send({ id: request.id, ...(await handle(request, print)) });
  }
}
