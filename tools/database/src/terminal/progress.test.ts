import { describe, expect, it } from 'vitest';
import { showProgress } from './progress.ts';

function streamOf(isTTY: boolean): { isTTY: boolean; written: string; write: (text: string) => boolean } {
  return {
    isTTY,
    written: '',
    write(text) {
      this.written += text;
      return true;
    },
  };
}

describe('progress', () => {
  it('is one line on a terminal, which is gone at the end', () => {
    const stream = streamOf(true);
    {
      using progress = showProgress(stream);
      progress.step('counting');
      progress.step('walking back');
    }
    expect(stream.written.split('\r\u001B[K')).toEqual(['counting ...', 'walking back ...', '']);
  });

  it('is nothing in a pipe', () => {
    const stream = streamOf(false);
    using progress = showProgress(stream);
    progress.step('counting');
    progress.end();
    expect(stream.written).toBe('');
  });
});
