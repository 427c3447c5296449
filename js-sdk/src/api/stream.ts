// An answer in progress: an async iterable of its text and a promise of the whole.

import type { Answer } from "./types.js";

/**
 * An answer in progress. `for await` gives its text piece by piece (whole characters); `await`
 * gives the whole Answer. The work starts at once, whether or not anybody reads. Each loop sees the
 * text from the beginning; leaving a loop early cancels the work.
 */
export class AnswerStream implements AsyncIterable<string>, PromiseLike<Answer> {
  readonly #pieces: string[] = [];
  readonly #answer: Promise<Answer>;
  readonly #cancel: () => void;
  #over = false;
  #wake: () => void = () => {};
  #changed!: Promise<void>;

  /** @internal */
  constructor(run: (emit: (piece: string) => void) => Promise<Answer>, cancel: () => void) {
    this.#cancel = cancel;
    this.#renew();
    this.#answer = run((piece) => {
      this.#pieces.push(piece);
      this.#renew();
    });
    // The error goes to those who await or iterate; where nobody does, it must not become an
    // unhandled rejection.
    const end = () => {
      this.#over = true;
      this.#renew();
    };
    this.#answer.then(end, end);
  }

  /**
   * Ends the work. The answer resolves with the text so far and the finish reason `cancelled`.
   */
  cancel(): void {
    this.#cancel();
  }

  /** As of a promise of the Answer; rejects with a TinyVLMError. */
  then<Result1 = Answer, Result2 = never>(
    onFulfilled?: ((answer: Answer) => Result1 | PromiseLike<Result1>) | null,
    onRejected?: ((reason: unknown) => Result2 | PromiseLike<Result2>) | null,
  ): Promise<Result1 | Result2> {
    return this.#answer.then(onFulfilled, onRejected);
  }

  /** As of a promise of the Answer. */
  catch<Result = never>(
    onRejected?: ((reason: unknown) => Result | PromiseLike<Result>) | null,
  ): Promise<Answer | Result> {
    return this.#answer.catch(onRejected);
  }

  /** As of a promise of the Answer. */
  finally(onFinally?: (() => void) | null): Promise<Answer> {
    return this.#answer.finally(onFinally);
  }

  /**
   * The pieces of the text, from the first one. Throws a TinyVLMError after the last piece where
   * the answer fails; ending the iteration early cancels the work.
   */
  [Symbol.asyncIterator](): AsyncIterator<string, undefined> {
    let next = 0;
    let left = false;
    return {
      next: async () => {
        while (!left && next === this.#pieces.length && !this.#over) await this.#changed;
        if (left) return { done: true, value: undefined };
        if (next < this.#pieces.length) return { done: false, value: this.#pieces[next++]! };
        await this.#answer; // throws where the answer failed
        return { done: true, value: undefined };
      },
      return: async () => {
        left = true;
        this.cancel();
        return { done: true, value: undefined };
      },
    };
  }

  // Wakes the loops that wait for a piece, and makes the promise that they wait for next.
  #renew(): void {
    this.#wake();
    this.#changed = new Promise((resolve) => {
      this.#wake = resolve;
    });
  }
}
