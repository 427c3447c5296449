// A conversation with a loaded model: each question is asked with the turns before it.

import type { Message } from "../protocol/messages.js";
import { systemMessage, type ChatModel, type Conversation } from "./conversation.js";
import type { AnswerStream } from "./stream.js";
import type { AskOptions, ChatMessage, ChatOptions, ImageInput } from "./types.js";

/**
 * A conversation, made by `vlm.chat()`. The images of its turns stay in the engine's memory until
 * `dispose()`.
 */
export class Chat {
  readonly #model: ChatModel;
  readonly #conversation: Conversation;
  /** @internal */
  constructor(model: object, { system, messages = [] }: ChatOptions) {
    this.#model = model as ChatModel;
    const unread: ImageInput[] = [];
    const said = messages.map(({ role, content, images = [] }): Message => {
      return { role, content, images: images.map((image) => -unread.push(image)) };
    });
    this.#conversation = {
      messages: [...systemMessage(system), ...said],
      unread,
      imagesRead: Promise.resolve(),
      disposed: false,
    };
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
    return this.#conversation.messages.map(({ role, content, images }) => {
      return { role, content, images: images.length };
    });
  }

  /** Ends the conversation and releases its images. Later questions fail with `not_ready`. */
  dispose(): void {
    this.#conversation.disposed = true;
    const imageIds = this.#conversation.messages
      .flatMap((message) => message.images)
      .filter((id) => id > 0);
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
