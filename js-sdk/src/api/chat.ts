// A conversation with a loaded model: what was said before is part of each question.

import type { PastTurn } from "../protocol/messages.js";
import type { AnswerStream } from "./stream.js";
import type { AskOptions, ChatMessage, ImageInput } from "./types.js";

/** What the model adds to the turns of a conversation, and what it needs to be told of them. */
export interface Conversation {
  readonly system: string | undefined;
  readonly turns: PastTurn[];
  disposed: boolean;
}

/** What a chat needs of its model. */
export interface ChatModel {
  /**
   * Asks with all turns that `conversation` has when the question's turn comes, and adds its own to
   * them when the answer is there.
   */
  ask(
    image: ImageInput | readonly ImageInput[] | null,
    question: string,
    options: AskOptions,
    conversation: Conversation,
  ): AnswerStream;
  forget(imageIds: number[]): void;
}

/** Made by `vlm.chat()`. Images of earlier turns stay known to the model until `dispose`. */
export class Chat {
  readonly #model: ChatModel;
  readonly #conversation: Conversation;
  /** @internal */
  constructor(model: object, system: string | undefined) {
    this.#model = model as ChatModel;
    this.#conversation = { system, turns: [], disposed: false };
  }

  /**
   * The next question, about a new image (or several) or about what was shown and said before. The
   * turn becomes part of the conversation when its answer resolves, also one that was cancelled
   * after its first words; a question that fails leaves the conversation as it was.
   */
  ask(question: string, options?: AskOptions): AnswerStream;
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

  /** What was said so far, oldest first. */
  get messages(): ChatMessage[] {
    const { system, turns } = this.#conversation;
    const said = turns.flatMap(({ question, imageIds, answer }): ChatMessage[] => [
      { role: "user", content: question, images: imageIds.length },
      { role: "assistant", content: answer, images: 0 },
    ]);
    return system === undefined ? said : [{ role: "system", content: system, images: 0 }, ...said];
  }

  /** Forgets the images of the conversation; it cannot be asked any more. */
  dispose(): void {
    this.#conversation.disposed = true;
    const imageIds = this.#conversation.turns.flatMap((turn) => turn.imageIds);
    if (imageIds.length > 0) this.#model.forget(imageIds);
  }
}

export interface Chat {
  [Symbol.dispose](): void;
}
// Browsers without the symbol do without it.
if (Symbol.dispose) Chat.prototype[Symbol.dispose] = Chat.prototype.dispose;
