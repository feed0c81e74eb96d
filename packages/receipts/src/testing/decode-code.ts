import jsqr from 'jsqr';

/** A dark rectangle, from the upper left corner, in any unit. */
export interface Rectangle {
  readonly x: number;
  readonly y: number;
  readonly width: number;
  readonly height: number;
}

export interface Picture {
  readonly data: Uint8ClampedArray;
  readonly width: number;
  readonly height: number;
}

/** Reads a picture as a phone would. Null when there is no code in it, or a mirrored one, which many phones refuse. */
export function decodeCode({ data, width, height }: Picture): string | null {
  const found = jsqr.default(data, width, height);
  if (found === null) return null;
  const { topLeftFinderPattern: corner, topRightFinderPattern, bottomLeftFinderPattern } = found.location;
  const isUpright = topRightFinderPattern.x > corner.x + 10 && bottomLeftFinderPattern.y > corner.y + 10;
  return isUpright ? found.data : null;
}

/** Paints dark rectangles on white, with some white around. */
export function paint(rectangles: readonly Rectangle[]): Picture {
  const left = Math.min(...rectangles.map(({ x }) => x));
  const top = Math.min(...rectangles.map(({ y }) => y));
  const span = Math.max(...rectangles.map(({ x, width }) => x + width)) - left;
  const side = 600;
  const quiet = 40;
  const scale = (side - 2 * quiet) / span;
  const data = new Uint8ClampedArray(side * side * 4).fill(255);
  const pixel = (distance: number) => Math.round(quiet + distance * scale);
  for (const { x, y, width, height } of rectangles) {
    for (let row = pixel(y - top); row < pixel(y - top + height); row += 1) {
      for (let column = pixel(x - left); column < pixel(x - left + width); column += 1) {
        data.fill(0, (row * side + column) * 4, (row * side + column) * 4 + 3);
      }
    }
  }
  return { data, width: side, height: side };
}
