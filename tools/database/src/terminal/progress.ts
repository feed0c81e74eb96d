import type { WriteStream } from 'node:tty';

/** Says what is being done while it is done: on a terminal one line that is written over, in a pipe nothing. */
export interface Progress extends Disposable {
  readonly step: (what: string) => void;
  /** Takes the line away, for what is printed next. */
  readonly end: () => void;
}

const CLEAR_LINE = '\r\u001B[K';

/** Progress on standard error, so that what a command prints can be piped on. */
export function showProgress(stream: Pick<WriteStream, 'isTTY' | 'write'> = process.stderr): Progress {
  let isShown = false;
  const end = (): void => {
    if (isShown) stream.write(CLEAR_LINE);
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
export const NO_PROGRESS: Progress = {
  step: () => undefined,
  end: () => undefined,
  [Symbol.dispose]: () => undefined,
};
