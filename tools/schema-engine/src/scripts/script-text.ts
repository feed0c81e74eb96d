/**
 * Why a script, read as UTF-8, is not what its author wrote, and what to do; undefined for one that can be run. A server
 * would complain of an invisible character at line 1.
 */
export function faultOfText(text: string): string | undefined {
  if (text.startsWith('\uFEFF')) return 'begins with a byte order mark; save it as UTF-8 without one';
  if (text.includes('\0')) return 'is in UTF-16, or holds NUL bytes; save it as UTF-8';
  // What stands for bytes that are no UTF-8.
  const wrong = text.indexOf('\uFFFD');
  if (wrong !== -1) {
    const line = text.slice(0, wrong).split('\n').length;
    return `is not in UTF-8 (line ${line}), perhaps in Latin-1; save it as UTF-8`;
  }
  return text.trim() === '' ? 'is empty; write its statements, or delete its folder' : undefined;
}
