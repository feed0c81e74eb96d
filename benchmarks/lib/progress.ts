/** Says what is under way: on a terminal one line that is written over, in a pipe nothing. */
export interface Progress extends Disposable {
  step(what: string): void;
}

const CLEAR_LINE = '\r\u001B[K';

/** On standard error, so that what the benchmark prints can be piped on. */
export function showProgress(): Progress {
  const { stderr } = process;
  const write = (text: string) => void (stderr.isTTY && stderr.write(CLEAR_LINE + text));
  return { step: (what) => write(`${what} ...`), [Symbol.dispose]: () => write('') };
}
