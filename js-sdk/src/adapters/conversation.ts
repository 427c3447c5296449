// What the adapters share: a conversation as other libraries tell it, whole with every request,
// becomes a question to a model.

import type { AnswerStream } from "../api/stream.js";
import type { AskOptions, ImageInput, PastMessage } from "../api/types.js";
import { TinyVLMError } from "../protocol/errors.js";
import type { AnsweringModel } from "./model.js";

/** One message as another library tells it. */
export interface Said {
  role: "system" | "user" | "assistant";
  text: string;
  images: ImageInput[];
}

/** A conversation in the form that a chat takes. */
export interface Conversation {
  system: string | undefined;
  messages: PastMessage[];
  question: string;
  images: ImageInput[];
}

/**
 * Orders messages as the model knows them: one system prompt, then user and assistant in turn, a
 * user's last. System messages are joined, wherever they stand; so are messages of one role that
 * follow each other. Before an assistant that speaks first stands a user that said nothing. Throws
 * `invalid_argument` where the last message is not the user's, or another's has images.
 */
export function conversationOf(said: readonly Said[]): Conversation {
  const join = (texts: string[]) => texts.filter((text) => text !== "").join("\n\n");
  for (const { role, images } of said)
    if (role !== "user" && images.length > 0)
      throw new TinyVLMError(
        "invalid_argument",
        `wanted images in messages of the user, found one in a message of the ${role}`,
      );
  const turns: { role: "user" | "assistant"; texts: string[]; images: ImageInput[] }[] = [];
  for (const { role, text, images } of said) {
    if (role === "system") continue;
    if (turns.length === 0 && role === "assistant")
      turns.push({ role: "user", texts: [""], images: [] });
    const last = turns.at(-1);
    if (last?.role === role) {
      last.texts.push(text);
      last.images.push(...images);
    } else turns.push({ role, texts: [text], images: [...images] });
  }
  const question = turns.pop();
  if (question?.role !== "user")
    throw new TinyVLMError(
      "invalid_argument",
      "wanted a conversation that ends with a message of the user, found " +
        (question ? "one that ends with the assistant's" : "no message"),
    );
  const system = said.filter(({ role }) => role === "system").map(({ text }) => text);
  return {
    system: system.length > 0 ? join(system) : undefined,
    messages: turns.map(({ role, texts, images }) => ({ role, content: join(texts), images })),
    question: join(question.texts),
    images: question.images,
  };
}

/**
 * Asks the last question of a conversation. Nothing of it stays in the engine but what it caches.
 * Other libraries' users expect that an answer ends by itself, or with the context; and that one
 * with a temperature is another one each time. Throws as conversationOf; the answer fails as those
 * of a chat.
 */
export function askIn(
  model: AnsweringModel,
  said: readonly Said[],
  options: AskOptions,
): AnswerStream {
  const { system, messages, question, images } = conversationOf(said);
  const chat = model.chat({ system, messages });
  const { maxTokens = model.info.context, seed } = options;
  const drawn = options.temperature && seed === undefined ? { seed: randomSeed() } : {};
  const shown = images.length > 0 ? images : null;
  const answer = chat.ask(shown, question, { ...options, maxTokens, ...drawn });
  const forget = () => chat.dispose();
  answer.then(forget, forget);
  return answer;
}

const randomSeed = () => Math.floor(Math.random() * 2 ** 32);
