import type { Dispatcher } from 'undici';

/** An answer over HTTP, complete. */
export interface HttpAnswer {
  readonly status: number;
  readonly body: string;
  /** The `Retry-After` header, if there was one. */
  readonly retryAfter: string | null;
}

export interface ExchangeRequest {
  readonly method: 'GET' | 'POST';
  readonly path: string;
  /** Names and values in turn. */
  readonly headers: string[];
  readonly body: string | null;
}

export interface ExchangeOptions {
  /** From the call to the end of the answer. */
  readonly timeoutMs: number;
  /** Answers that are longer are given up. */
  readonly maxBytes: number;
  readonly signal?: AbortSignal | undefined;
}

/** How an exchange ended. `started` says whether any of the request may have left this machine. */
export type Exchange =
  | { readonly kind: 'answer'; readonly answer: HttpAnswer }
  | {
      readonly kind: 'failed';
      readonly started: boolean;
      readonly why: 'timeout' | 'aborted' | 'too_large' | 'error';
      /** The code of the system or of the HTTP client, such as `ECONNREFUSED`. */
      readonly words: string;
    };

type Why = Extract<Exchange, { kind: 'failed' }>['why'];

/**
 * Sends a request at most once and waits for the whole answer. Never rejects.
 *
 * The client's own dispatch interface is used, not `request`, because it says when a request begins to be written.
 * What failed before that has surely not left, which no error code tells: a reset during the TLS handshake and one
 * after the request have the same. And a client that took up the request again on a new connection would send it
 * twice; here the second beginning is refused.
 */
export function exchange(
  client: Dispatcher,
  request: ExchangeRequest,
  options: ExchangeOptions,
): Promise<Exchange> {
  return new Promise((resolve) => {
    const { signal } = options;
    if (signal?.aborted === true) {
      resolve({ kind: 'failed', started: false, why: 'aborted', words: '' });
      return;
    }
    const onAbort = () => {
      run.giveUp('aborted', '');
    };
    const timer = setTimeout(() => {
      run.giveUp('timeout', `${String(options.timeoutMs)} ms`);
    }, options.timeoutMs);
    const run = new ExchangeRun(options.maxBytes, (end) => {
      clearTimeout(timer);
      signal?.removeEventListener('abort', onAbort);
      resolve(end);
    });
    signal?.addEventListener('abort', onAbort, { once: true });
    try {
      client.dispatch(request, run);
    } catch (error) {
      run.onResponseError(null, error);
    }
  });
}

/** One request on its way, as the HTTP client reports it. */
class ExchangeRun implements Dispatcher.DispatchHandler {
  readonly #maxBytes: number;
  readonly #settle: (end: Exchange) => void;
  #controller: Dispatcher.DispatchController | null = null;
  #settled = false;
  #status = 0;
  #retryAfter: string | null = null;
  #chunks: Buffer[] = [];
  #bytes = 0;

  constructor(maxBytes: number, settle: (end: Exchange) => void) {
    this.#maxBytes = maxBytes;
    this.#settle = settle;
  }

  /** Ends the waiting; a request that has not begun is refused when its turn comes. */
  giveUp(why: Why, words: string): void {
    if (this.#settled) return;
    this.#finish({ kind: 'failed', started: this.#controller !== null, why, words });
    this.#controller?.abort(new ExchangeAbort());
  }

  onRequestStart(controller: Dispatcher.DispatchController): void {
    const isAgain = this.#controller !== null;
    this.#controller ??= controller;
    if (isAgain || this.#settled) controller.abort(new ExchangeAbort());
  }

  onResponseStart(
    _controller: Dispatcher.DispatchController,
    status: number,
    headers: Record<string, string | string[] | undefined>,
  ): void {
    this.#status = status;
    const header = headers['retry-after'];
    this.#retryAfter = typeof header === 'string' ? header : null;
  }

  onResponseData(_controller: Dispatcher.DispatchController, chunk: Buffer): void {
    this.#bytes += chunk.length;
    if (this.#bytes > this.#maxBytes) this.giveUp('too_large', `over ${String(this.#maxBytes)} bytes`);
    else this.#chunks.push(chunk);
  }

  onResponseEnd(): void {
    const [first] = this.#chunks;
    const bytes = this.#chunks.length === 1 && first !== undefined ? first : Buffer.concat(this.#chunks);
    const answer = { status: this.#status, retryAfter: this.#retryAfter, body: bytes.toString('utf8') };
    this.#finish({ kind: 'answer', answer });
  }

  onResponseError(_controller: Dispatcher.DispatchController | null, error: unknown): void {
    this.#finish({ kind: 'failed', started: this.#controller !== null, why: 'error', words: nameOf(error) });
  }

  #finish(end: Exchange): void {
    if (this.#settled) return;
    this.#settled = true;
    this.#settle(end);
  }
}

/** Tells the HTTP client to let go of a request. Nobody sees it: the exchange has ended by then. */
class ExchangeAbort extends Error {
  override readonly name = 'ExchangeAbort';
  readonly code = 'exchange_aborted';
}

/** The code of an error. Its message may name addresses, and with some errors what was sent. */
function nameOf(error: unknown): string {
  if (!(error instanceof Error)) return 'unknown error';
  // Where several addresses of a host were tried, each has an error of its own.
  const first: unknown = error instanceof AggregateError ? (error.errors as unknown[])[0] : error;
  const code: unknown = first instanceof Error && 'code' in first ? first.code : undefined;
  return typeof code === 'string' ? code : error.name;
}
