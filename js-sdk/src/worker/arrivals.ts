// What questions that are asked while the model arrives need to know of it.

import { TinyVLMError } from "../protocol/errors.js";

/** Tells those who wait for weights that more have come, or that none will. */
export class Arrivals {
  /** How often the model was begun; questions about an earlier one have lost it. */
  begun = 0;
  #failure: TinyVLMError | undefined;
  #waiting: (() => void)[] = [];

  /** The model is begun anew. */
  restart(): void {
    this.begun++;
    this.#failure = undefined;
    this.more();
  }

  /** Weights have come. */
  more(): void {
    for (const go of this.#waiting.splice(0)) go();
  }

  /** No more will come. */
  fail(error: TinyVLMError): void {
    this.#failure = error;
    this.more();
  }

  /** Throws where the model of a question is gone, which was begun as number `begun`. */
  check(begun: number): void {
    if (this.#failure) throw this.#failure;
    if (begun !== this.begun)
      throw new TinyVLMError(
        "network",
        "the model's file changed while it arrived, and was begun anew: ask again",
      );
  }

  /** Resolves when weights have come, or a reason not to wait any more. */
  wait(signal: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      const go = () => {
        signal.removeEventListener("abort", go);
        resolve();
      };
      this.#waiting.push(go);
      signal.addEventListener("abort", go);
      if (signal.aborted) go();
    });
  }
}
