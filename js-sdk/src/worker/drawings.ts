// Image files that the page draws for the worker: those that only an <img> shows.

import { abortedError, TinyVLMError } from "../protocol/errors.js";
import type { DrawRequest, WireImage } from "../protocol/messages.js";

/** The requests that are under way. */
export class Drawings {
  #last = 0;
  readonly #waiting = new Map<number, (image: WireImage | string) => void>();

  /** The image that the page makes of `file`. Errors: `invalid_image`, `aborted`. */
  ask(
    file: Blob,
    svg: boolean,
    emit: (request: DrawRequest) => void,
    signal: AbortSignal,
  ): Promise<WireImage> {
    const drawing = ++this.#last;
    return new Promise<WireImage>((resolve, reject) => {
      signal.addEventListener("abort", () => reject(abortedError("the question", signal)));
      this.#waiting.set(drawing, (image) =>
        typeof image === "string"
          ? reject(new TinyVLMError("invalid_image", image))
          : resolve(image),
      );
      emit({ drawing, file, svg });
    }).finally(() => this.#waiting.delete(drawing));
  }

  /** The page's answer: an image, or why there is none. */
  end(drawing: number, image: WireImage | string): void {
    this.#waiting.get(drawing)?.(image);
  }
}
