// Whether what is read from a canvas is what was drawn. Privacy settings (Firefox's
// resistFingerprinting, Brave's shields) falsify it, without an error.

const side = 16;

let isTrue: boolean | undefined;

/** Draws known colours and reads them, once; true where there is no OffscreenCanvas to try. */
export function canvasIsTrue(): boolean {
  return (isTrue ??= typeof OffscreenCanvas !== "function" || readsWhatItDraws());
}

// Every pixel has a colour of its own: images of one colour are spared by some.
function readsWhatItDraws(): boolean {
  const context = new OffscreenCanvas(side, side).getContext("2d", { willReadFrequently: true });
  if (!context) return true; // reading an image will tell
  const wanted: number[] = [];
  for (let i = 0; i < side * side; i++) {
    const colour = [i, i * 7, i * 31].map((value) => value & 255);
    context.fillStyle = `rgb(${colour.join()})`;
    context.fillRect(i % side, Math.floor(i / side), 1, 1);
    wanted.push(...colour, 255);
  }
  const { data } = context.getImageData(0, 0, side, side);
  return wanted.every((value, i) => value === data[i]);
}
