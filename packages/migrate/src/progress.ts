import type { WriteStream } from 'node:tty';

/** Says what is being done while it is done: on a terminal one line that is written over, in a pipe nothing. */
export type Progress = Disposable & { step: (what: string) => void };

const clearLine = '\r\u001B[K';

/** Progress on standard error, so that what a command prints can be piped on. */
export function showProgress(stream: Pick<WriteStream, 'isTTY' | 'write'> = process.stderr): Progress {
  const clear = (): void => {
    if (stream.isTTY) stream.write(clearLine);
  };
  return {
    step: (what) => {
      clear();
      if (stream.isTTY) stream.write(`${what} ...`);
    },
    [Symbol.dispose]: clear,
  };
}

/** For callers that want none. */
export const noProgress: Progress = { step: () => undefined, [Symbol.dispose]: () => undefined };
