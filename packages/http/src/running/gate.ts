/** Lets so many pieces of work be under way at a time; the others wait in the order in which they came. */
export interface Gate {
  /** Does the work as soon as there is room. Nobody is refused, and nobody's time runs out here. */
  pass<Result>(work: () => Promise<Result> | Result): Promise<Result>;
  /** Work that is under way. */
  readonly inside: number;
  /** Work that waits for room. */
  readonly waiting: number;
}

export function createGate(room: number): Gate {
  const waiting = new Set<() => void>();
  let inside = 0;

  // Who leaves hands their place to the first in the line, so that nobody who comes later can take it.
  function leave(): void {
    const [first] = waiting;
    if (first === undefined) {
      inside -= 1;
      return;
    }
    waiting.delete(first);
    first();
  }

  return {
    async pass(work) {
      if (inside < room) inside += 1;
      else {
        const { promise, resolve } = Promise.withResolvers<void>();
        waiting.add(resolve);
        await promise;
      }
      try {
        return await work();
      } finally {
        leave();
      }
    },
    get inside() {
      return inside;
    },
    get waiting() {
      return waiting.size;
    },
  };
}
