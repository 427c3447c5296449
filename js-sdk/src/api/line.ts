// The line in which questions wait for a model, which answers one at a time.

import type { Timings } from "./types.js";
import type { Usage } from "../protocol/values.js";

// How long a question keeps its place in the line without its images.
const patienceMs = 1000;

/** A place in the line. */
interface Place {
  /** Resolves when those before have left. */
  before: Promise<unknown>;
  leave(): void;
}

/** Who comes first is served first. */
export class Line {
  #last: Promise<unknown> = Promise.resolve();

  /**
   * Runs `work` when `prepared` is there and everybody before has left: `turn` awaits that, and may
   * give up before. Whoever is not prepared within a second lets later ones go first: images that
   * never come must not keep anybody waiting.
   */
  async wait<T, R>(
    prepared: Promise<T>,
    turn: (before: Promise<unknown>) => Promise<unknown>,
    work: (prepared: T) => Promise<R>,
  ): Promise<R> {
    let place: Place | undefined = this.#join();
    const timer = setTimeout(() => {
      place?.leave();
      place = undefined;
    }, patienceMs);
    try {
      const ready = await prepared;
      clearTimeout(timer);
      place ??= this.#join();
      await turn(place.before);
      return await work(ready);
    } finally {
      clearTimeout(timer);
      place?.leave();
    }
  }

  #join(): Place {
    const before = this.#last;
    let leave!: () => void;
    const left = new Promise<void>((resolve) => {
      leave = resolve;
    });
    this.#last = before.then(() => left);
    return { before, leave };
  }
}

/** What a question has cost that left the line before its turn. */
export const noCost: { usage: Usage; timings: Omit<Timings, "firstTokenMs" | "totalMs"> } = {
  usage: {
    promptTokens: 0,
    imageTokens: 0,
    encodedImages: 0,
    reusedTokens: 0,
    completionTokens: 0,
  },
  timings: {
    decodeImageMs: 0,
    preprocessMs: 0,
    visionMs: 0,
    prefillMs: 0,
    decodeMs: 0,
    tokensPerSecond: 0,
  },
};
