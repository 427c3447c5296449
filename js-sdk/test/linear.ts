// Whether work grows with its input, or with its square.

import assert from "node:assert/strict";

function milliseconds(work: () => unknown): number {
  const began = performance.now();
  work();
  return performance.now() - began;
}

// What another program may take from this one meanwhile.
const disturbanceMs = 250;

/**
 * Fails where `work` takes much more than four times as long for an input four times as large. With
 * the square of the input it would take sixteen times as long, and `size` is such that this is
 * seconds.
 */
export function assertLinear(what: string, work: (size: number) => unknown, size = 1 << 15): void {
  const small = Math.min(...[1, 2, 3].map(() => milliseconds(() => work(size))));
  let large = Infinity;
  for (let tries = 0; tries < 3 && large > 9 * small + disturbanceMs; tries++)
    large = Math.min(
      large,
      milliseconds(() => work(4 * size)),
    );
  assert(
    large <= 9 * small + disturbanceMs,
    `${what}: ${small.toFixed(1)} ms for ${size}, ${large.toFixed(1)} ms for ${4 * size}`,
  );
}
