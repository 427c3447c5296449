// A conversation with a loaded model: each question is asked with the turns before it.

import type { ChatModel, Conversation } from "./conversation.js";
import type { AnswerStream } from "./stream.js";
import type { AskOptions, ChatMessage, ImageInput } from "./types.js";

/**
 * A conversation, made by `vlm.chat()`. The images of its turns stay in the engine's memory until
 * `dispose()`.
 */
export class Chat {
  readonly #model: ChatModel;
  readonly #conversation: Conversation;
  /** @internal */
  constructor(model: object, system: string | undefined) {
    this.#model = model as ChatModel;
    this.#conversation = { system, turns: [], disposed: false };
  }

  /**
   * Asks the next question about the images and answers of the conversation so far. The turn
   * becomes part of the conversation when its answer resolves, also where it was cancelled after
   * its first words; a question that fails leaves the conversation as it was. Errors arrive where
   * the result is awaited or iterated: those of `TinyVLM.ask`, and `not_ready` after `dispose()`.
   */
  ask(question: string, options?: AskOptions): AnswerStream;
  /**
   * Asks the next question with a new image, several, or none (null); otherwise as with a question
   * alone.
   */
  ask(
    image: ImageInput | readonly ImageInput[] | null,
    question: string,
    options?: AskOptions,
  ): AnswerStream;
  ask(
    first: string | ImageInput | readonly ImageInput[] | null,
    second?: string | AskOptions,
    third?: AskOptions,
  ): AnswerStream {
    if (typeof second === "string")
      return this.#model.ask(first as ImageInput, second, third ?? {}, this.#conversation);
    return this.#model.ask(null, first as string, second ?? {}, this.#conversation);
  }

  /** The messages so far, oldest first: a copy. */
  get messages(): ChatMessage[] {
    const { system, turns } = this.#conversation;
    const said = turns.flatMap(({ question, imageIds, answer }): ChatMessage[] => [
      { role: "user", content: question, images: imageIds.length },
      { role: "assistant", content: answer, images: 0 },
    ]);
    return system === undefined ? said : [{ role: "system", content: system, images: 0 }, ...said];
  }

  /** Ends the conversation and releases its images. Later questions fail with `not_ready`. */
  dispose(): void {
    this.#conversation.disposed = true;
    const imageIds = this.#conversation.turns.flatMap((turn) => turn.imageIds);
    if (imageIds.length > 0) this.#model.forget(imageIds);
  }
}

/** The part of Chat that exists where the language has `Symbol.dispose`. */
export interface Chat {
  /** `dispose()`, for `using`. */
  [Symbol.dispose](): void;
}
// Older browsers do not have the symbol.
if (Symbol.dispose) Chat.prototype[Symbol.dispose] = Chat.prototype.dispose;
