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
  const colour = (x: number, y: number) => [x * 16, y * 16, (x * y) & 255];
  for (let y = 0; y < side; y++)
    for (let x = 0; x < side; x++) {
      context.fillStyle = `rgb(${colour(x, y).join()})`;
      context.fillRect(x, y, 1, 1);
    }
  const { data } = context.getImageData(0, 0, side, side);
  for (let i = 0; i < side * side; i++) {
    const wanted = [...colour(i % side, Math.floor(i / side)), 255];
    if (wanted.some((value, channel) => data[4 * i + channel] !== value)) return false;
  }
  return true;
}
