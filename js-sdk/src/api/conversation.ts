// What stands between a chat and its model: the turns so far, and the two things that a chat asks
// of a model.

import type { PastTurn } from "../protocol/messages.js";
import type { AnswerStream } from "./stream.js";
import type { AskOptions, ImageInput } from "./types.js";

/** The state of one conversation. The model adds to `turns`; the chat sets `disposed`. */
export interface Conversation {
  /** The system prompt; undefined: the model's default. */
  readonly system: string | undefined;
  /** The turns that were answered, oldest first. */
  readonly turns: PastTurn[];
  /** Set once the chat was disposed: it takes no further question. */
  disposed: boolean;
}

/** What a chat needs of its model. */
export interface ChatModel {
  /**
   * Asks with all turns that `conversation` has when this question's place in the line comes, and
   * appends its own turn when the answer is complete.
   */
  ask(
    image: ImageInput | readonly ImageInput[] | null,
    question: string,
    options: AskOptions,
    conversation: Conversation,
  ): AnswerStream;
  /** Releases images of earlier turns in the engine. */
  forget(imageIds: number[]): void;
}
