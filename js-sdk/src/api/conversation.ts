// What stands between a chat and its model: the messages so far, and the two things that a chat
// asks of a model.

import type { Message } from "../protocol/messages.js";
import type { AnswerStream } from "./stream.js";
import type { AskOptions, ImageInput } from "./types.js";

/** The state of one conversation. The model adds to it; the chat sets `disposed`. */
export interface Conversation {
  /** What was said, oldest first; negative images are those in `unread`. */
  messages: Message[];
  /** Images of the messages that the chat was made with, until a question took them along. */
  unread: readonly ImageInput[];
  /** Settles when the images of all questions so far are there, or have failed. */
  imagesRead: Promise<unknown>;
  /** Set once the chat was disposed: it takes no further question. */
  disposed: boolean;
}

/** What a chat needs of its model. */
export interface ChatModel {
  /**
   * Asks with all messages that `conversation` has when this question's place in the line comes,
   * and appends its own turn when the answer is complete.
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

/** The message that a system prompt is; none for undefined, which is the model's default. */
export function systemMessage(system: string | undefined): Message[] {
  return system === undefined ? [] : [{ role: "system", content: system, images: [] }];
}
