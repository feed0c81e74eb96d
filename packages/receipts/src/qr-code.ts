import { encode } from 'uqr';

/** Dark modules that stand side by side: `length` of them, from column `x` of row `y`. */
interface Run {
  readonly x: number;
  readonly y: number;
  readonly length: number;
}

export interface QrCode {
  /** Modules along one side, without the quiet zone. */
  readonly size: number;
  readonly runs: readonly Run[];
}

/** Light modules that must surround a code (ISO/IEC 18004). */
export const QUIET_ZONE = 4;

/**
 * Encodes a text at level M (15 % may be lost: till rolls fade and crease). Dark modules come in runs, so that no
 * hairline shows between neighbours when a printer rounds.
 */
export function qrCode(text: string): QrCode {
  const { size, data } = encode(text, { ecc: 'M', border: 0 });
  return { size, runs: data.flatMap(runsOf) };
}

function runsOf(row: readonly boolean[], y: number): Run[] {
  const runs: Run[] = [];
  let x = row.indexOf(true);
  while (x !== -1) {
    const light = row.indexOf(false, x);
    const end = light === -1 ? row.length : light;
    runs.push({ x, y, length: end - x });
    x = row.indexOf(true, end);
  }
  return runs;
}
