import type { WriteStream } from 'node:tty';

/** Says what is being done while it is done: on a terminal one line that is written over, in a pipe nothing. */
export type Progress = Disposable & {
  step: (what: string) => void;
  /** Takes the line away, for what is printed next. */
  end: () => void;
};

const clearLine = '\r\u001B[K';

/** Progress on standard error, so that what a command prints can be piped on. */
export function showProgress(stream: Pick<WriteStream, 'isTTY' | 'write'> = process.stderr): Progress {
  let isShown = false;
  const end = (): void => {
    if (isShown) stream.write(clearLine);
    isShown = false;
  };
  const step = (what: string): void => {
    end();
    if (!stream.isTTY) return;
    stream.write(`${what} ...`);
    isShown = true;
  };
  return { step, end, [Symbol.dispose]: end };
}

/** For callers that want none. */
export const noProgress: Progress = {
  step: () => undefined,
  end: () => undefined,
  [Symbol.dispose]: () => undefined,
};
