// A conversation at the command line: turns, the images that wait for the next question, and what
// is written of it to a file.

import { existsSync, statSync, writeFileSync } from "node:fs";
import type { TinyVLM } from "../api/node.js";
import type { AnswerStream } from "../api/stream.js";
import type { AskOptions } from "../api/types.js";
import { describeReason, TinyVLMError } from "../protocol/errors.js";
import { wrongArgument } from "./flags.js";
import { isUrl } from "./images.js";

/** One message, with the images that came with it as they were named. */
export interface Message {
  role: "system" | "user" | "assistant";
  content: string;
  images: string[];
}

export class Conversation {
  readonly #vlm: TinyVLM;
  #chat: ReturnType<TinyVLM["chat"]>;
  #system: string | undefined;
  /** Of each turn, in order. */
  readonly #imagesOfTurns: string[][] = [];
  /** For the next question. */
  #waiting: string[] = [];
  /** Files that this conversation was written to, which it may write again. */
  readonly #saved = new Set<string>();

  constructor(vlm: TinyVLM, system: string | undefined) {
    this.#vlm = vlm;
    this.#system = system;
    this.#chat = vlm.chat({ system });
  }

  /** Images that the next question is about. */
  get waiting(): readonly string[] {
    return this.#waiting;
  }

  /** Adds an image to the next question. Throws `not_found` where a path leads nowhere. */
  addImage(image: string): void {
    if (!isUrl(image) && !existsSync(image))
      throw new TinyVLMError("not_found", `no such file: ${image}`);
    if (!isUrl(image) && statSync(image).isDirectory())
      throw wrongArgument(`wanted an image, found the folder ${image}`);
    this.#waiting.push(image);
  }

  /** Asks about the waiting images, which then belong to this question, however it ends. */
  ask(question: string, options: AskOptions): AnswerStream {
    const images = this.#waiting;
    this.#waiting = [];
    const before = this.#turns;
    const stream = this.#chat.ask(images.length > 0 ? images : null, question, options);
    // Whoever shows the stream tells the error.
    void stream.then(
      () => void (this.#turns > before && this.#imagesOfTurns.push(images)),
      () => {},
    );
    return stream;
  }

  get #turns(): number {
    return this.#chat.messages.filter(({ role }) => role === "user").length;
  }

  /** The system prompt; undefined for that of the model. */
  get system(): string | undefined {
    return this.#system;
  }

  /** Forgets turns and images; `system` stays. */
  reset(): void {
    this.#chat.dispose();
    this.#chat = this.#vlm.chat({ system: this.#system });
    this.#imagesOfTurns.length = 0;
    this.#waiting = [];
  }

  /** A new conversation with this system prompt; images that wait for a question stay. */
  setSystem(system: string): void {
    const waiting = this.#waiting;
    this.#system = system;
    this.reset();
    this.#waiting = waiting;
  }

  get messages(): Message[] {
    let turn = 0;
    return this.#chat.messages.map(({ role, content }) => ({
      role,
      content,
      images: role === "user" ? (this.#imagesOfTurns[turn++] ?? []) : [],
    }));
  }

  /**
   * Writes the conversation to a file: JSON where its name ends in .json, otherwise text. Throws
   * `invalid_argument` where the file is there already and holds something else, `io`.
   */
  save(path: string): void {
    const text = /\.json$/i.test(path)
      ? `${JSON.stringify({ messages: this.messages }, null, 2)}\n`
      : `${transcript(this.messages)}\n`;
    try {
      writeFileSync(path, text, { flag: this.#saved.has(path) ? "w" : "wx" });
    } catch (cause) {
      if ((cause as NodeJS.ErrnoException).code === "EEXIST")
        throw wrongArgument(`wanted a new file for /save, found that ${path} is there already`);
      throw new TinyVLMError("io", `${path} cannot be written: ${describeReason(cause)}`, {
        cause,
      });
    }
    this.#saved.add(path);
  }
}

const speakers = { system: "System", user: "You", assistant: "Answer" } as const;

/** The conversation as text for people. */
export function transcript(messages: readonly Message[]): string {
  return messages
    .map(({ role, content, images }) =>
      [...images.map((image) => `[image: ${image}]`), `${speakers[role]}: ${content}`].join("\n"),
    )
    .join("\n\n");
}
