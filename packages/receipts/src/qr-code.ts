import { encode } from 'uqr';

export interface QrCode {
  /** Modules along one side, without the quiet zone. */
  readonly size: number;
  /** The dark modules as an SVG path in units of one module, from the upper left corner. */
  readonly path: string;
}

/** Light modules that must surround a code (ISO/IEC 18004). */
export const QUIET_ZONE = 4;

/**
 * Encodes a text at level M (15 % may be lost: till rolls fade and crease). Runs of dark modules are one rectangle
 * each, so that no hairline shows between neighbours when a printer rounds.
 */
export function qrCode(text: string): QrCode {
  const { size, data } = encode(text, { ecc: 'M', border: 0 });
  return { size, path: data.map((row, y) => rowPath(row, y)).join('') };
}

function rowPath(row: readonly boolean[], y: number): string {
  let path = '';
  for (let x = 0; x < row.length; x += 1) {
    if (row[x] !== true) continue;
    const end = row.indexOf(false, x);
    const length = (end === -1 ? row.length : end) - x;
    path += `M${x} ${y}h${length}v1h-${length}z`;
    x += length;
  }
  return path;
}
