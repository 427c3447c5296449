// A loaded model on the native side: the object that callers hold. Questions are answered one at a
// time, in the order of the calls; one whose image has to be fetched lets others go first.

import { Chat as SdkChat } from "../../../js-sdk/src/api/chat.js";
import type { ChatModel, Conversation } from "../../../js-sdk/src/api/conversation.js";
import { Line, noCost } from "../../../js-sdk/src/api/line.js";
import { checkChatOptions } from "../../../js-sdk/src/api/options.js";
import { AnswerStream as SdkAnswerStream } from "../../../js-sdk/src/api/stream.js";
import type { ChatOptions as WebChatOptions } from "../../../js-sdk/src/api/types.js";
import { abortedError, TinyVLMError } from "../../../js-sdk/src/protocol/errors.js";
import {
  nextNumber,
  type Bridge,
  type NativeAnswer,
  type NativeImage,
  type NativeMessage,
} from "./bridge.js";
import { readImages, readMessages } from "./images.js";
import { askOptionsOf } from "./options.js";
import type {
  Answer,
  AnswerStream,
  AskOptions,
  Chat,
  ChatOptions,
  ImageInput,
  ModelInfo,
  PastMessage,
} from "./types.js";

/**
 * What `load` hands to a model.
 * @internal
 */
export interface Loaded {
  bridge: Bridge;
  number: number;
  info: ModelInfo;
}

/** What `TinyVLM` is after loading. */
export class LoadedModel {
  /** Name, sizes and limits of the loaded model. */
  readonly info: ModelInfo;
  /** How many threads compute. */
  readonly threads: number;
  /** Resolved: a model is whole when `load` resolves. As in the SDK for the web. */
  readonly whenReady: Promise<void> = Promise.resolve();
  readonly #bridge: Bridge;
  readonly #number: number;
  readonly #line = new Line();
  readonly #questions = new Set<Question>();
  #disposed = false;

  /** @internal */
  protected constructor(loaded: object) {
    const { bridge, number, info } = loaded as Loaded;
    this.#bridge = bridge;
    this.#number = number;
    this.info = info;
    this.threads = info.threads;
  }

  /**
   * Asks about an image, several, or none (null). The result is an async iterable of the answer's
   * text, and awaiting it gives the whole answer. `break`, `cancel()` and `options.signal` end the
   * work. Errors arrive where the result is awaited or iterated: `invalid_argument`,
   * `invalid_image`, `context_full`, `out_of_memory`, `unsupported`, `aborted`, `not_ready` after
   * `dispose()`, and `not_found`, `io`, `http` or `network` where an image cannot be read.
   */
  ask(
    image: ImageInput | readonly ImageInput[] | null,
    prompt: string,
    options: AskOptions = {},
  ): AnswerStream {
    return this.#ask(image, prompt, options);
  }

  /**
   * Starts a conversation: each question is asked with the images and answers before it. Tokens of
   * the prompt that are the same as for the previous question are not computed again. Throws
   * `invalid_argument` where an option is not what ChatOptions says.
   */
  chat(options: ChatOptions = {}): Chat {
    checkChatOptions(options as WebChatOptions);
    return new NativeChat(this.#bridge, this.#number, options, (...question) =>
      this.#ask(...question),
    ) as unknown as Chat;
  }

  /**
   * Bytes that the model and its context take, by the engine's estimate: weights (mapped ones
   * included), vocabulary, context, activations. Rejects with `not_ready` after `dispose()`, with
   * `unsupported` where the model is not a file (Android's assets and documents).
   */
  async memoryBytes(): Promise<number> {
    this.#checkAlive();
    return this.#bridge.memoryBytes(this.#number);
  }

  /**
   * Frees the model. Answers in progress reject with `aborted`, later questions with `not_ready`.
   * May be called more than once.
   */
  async dispose(): Promise<void> {
    if (this.#disposed) return;
    this.#disposed = true;
    for (const question of this.#questions)
      question.fail(new TinyVLMError("aborted", "the model was disposed"));
    await this.#bridge.dispose(this.#number);
  }

  #ask(
    image: ImageInput | readonly ImageInput[] | null,
    prompt: string,
    options: AskOptions,
    chat?: OpenChat,
  ): AnswerStream {
    const question = new Question((number) => this.#bridge.cancel(number));
    return new SdkAnswerStream(
      // Without `variant`, which phones have not.
      (emit) => this.#answer(question, image, prompt, options, chat, emit) as Promise<never>,
      () => question.cancel(),
    ) as AnswerStream;
  }

  async #answer(
    question: Question,
    image: ImageInput | readonly ImageInput[] | null,
    prompt: string,
    options: AskOptions,
    chat: OpenChat | undefined,
    emit: (piece: string) => void,
  ): Promise<Answer> {
    const began = performance.now();
    this.#checkAlive();
    if (chat?.conversation.disposed)
      throw new TinyVLMError("not_ready", "the chat was disposed; make another");
    const { native, signals } = askOptionsOf(prompt, options);
    if (chat && native.system !== undefined)
      throw new TinyVLMError(
        "invalid_argument",
        "wanted the system text when the chat is made, found one with a question",
      );
    const aborted = signals.find((signal) => signal.aborted);
    if (aborted) throw abortedError("the question", aborted);
    const own = readImages(image);
    // A question of a chat does not overtake those before it.
    const images = chat
      ? Promise.all([own, chat.read(), chat.conversation.imagesRead]).then(([read]) => read)
      : own;
    if (chat) chat.conversation.imagesRead = question.orEnd(images).catch(() => {});

    const abort = () => {
      const signal = signals.find((each) => each.aborted);
      question.fail(abortedError("the question", signal));
    };
    for (const signal of signals) signal.addEventListener("abort", abort);
    this.#questions.add(question);
    let firstTokenMs = 0;
    let said = "";
    const onText = (text: string) => {
      if (question.hasFailed || text === "") return;
      if (said === "") firstTokenMs = performance.now() - began;
      said += text;
      emit(text);
    };
    const work = this.#inLine(question, images, async (read) => {
      const numbers = [this.#number, chat?.number ?? 0] as const;
      await question.orEnd(chat?.open());
      if (question.hasEnded) return nothing;
      const reply = await question.during((number) =>
        this.#bridge.ask(number, numbers, read, prompt, native, onText),
      );
      onText(reply.text.slice(said.length)); // events may come late, or not at all
      if (reply.finishReason !== "cancelled" || reply.text !== "")
        chat?.add(prompt, read.length, reply.text);
      return reply;
    });
    try {
      const reply = await question.orFailure(work);
      const totalMs = performance.now() - began;
      return { ...answerOf(reply, firstTokenMs, totalMs), threads: this.threads };
    } finally {
      this.#questions.delete(question);
      for (const signal of signals) signal.removeEventListener("abort", abort);
    }
  }

  // Runs `work` in the question's turn; nothing where it has ended before.
  #inLine(
    question: Question,
    images: NativeImage[] | Promise<NativeImage[]>,
    work: (images: NativeImage[]) => Promise<NativeAnswer>,
  ): Promise<NativeAnswer> {
    return this.#line.wait(
      question.orEnd(images),
      (before) => question.orEnd(before),
      async (read) => (!read || question.hasEnded ? nothing : work(read)),
    );
  }

  #checkAlive(): void {
    if (this.#disposed)
      throw new TinyVLMError("not_ready", "the model was disposed; load it again");
  }
}

/** The part of LoadedModel that exists where the language has `Symbol.asyncDispose`. */
export interface LoadedModel {
  /** `dispose()`, for `await using`. */
  [Symbol.asyncDispose](): Promise<void>;
}
if (Symbol.asyncDispose) LoadedModel.prototype[Symbol.asyncDispose] = LoadedModel.prototype.dispose;

/** What became of a question that ended before the native side heard of it: nothing. */
const nothing: NativeAnswer = { text: "", finishReason: "cancelled" };

function answerOf(
  { text, finishReason, warnings = [], usage = noCost.usage, timings, logprobs }: NativeAnswer,
  firstTokenMs: number,
  totalMs: number,
): Omit<Answer, "threads"> {
  return {
    text,
    finishReason,
    warnings,
    usage,
    timings: { ...noCost.timings, ...timings, firstTokenMs, totalMs },
    ...(logprobs ? { logprobs } : {}),
  };
}

/** One question, from `ask` until nobody works on it any more. */
class Question {
  readonly #cancelNative: (number: number) => void;
  readonly #end: Promise<undefined>;
  #tellEnd!: () => void;
  #failure: TinyVLMError | undefined;
  #isEnded = false;
  #number: number | undefined;

  constructor(cancelNative: (number: number) => void) {
    this.#cancelNative = cancelNative;
    this.#end = new Promise((resolve) => {
      this.#tellEnd = () => resolve(undefined);
    });
  }

  /** Whether it was cancelled or has failed. */
  get hasEnded(): boolean {
    return this.#isEnded;
  }

  /** Whether its caller has been told of an error: nothing else reaches it. */
  get hasFailed(): boolean {
    return this.#failure !== undefined;
  }

  /** Ends it; it resolves with what there is. */
  cancel(): void {
    if (this.#isEnded) return;
    this.#isEnded = true;
    this.#tellEnd();
    if (this.#number !== undefined) this.#cancelNative(this.#number);
  }

  /** Ends it; it rejects with `error` at once. */
  fail(error: TinyVLMError): void {
    this.#failure ??= error;
    this.#tellFailure(error);
    this.cancel();
  }

  #tellFailure: (error: TinyVLMError) => void = () => {};

  /** `value`, or undefined as soon as the question has ended. */
  orEnd<T>(value: T | Promise<T>): Promise<T | undefined> {
    return Promise.race([this.#end, value]);
  }

  /** What `work` resolves with, or a rejection as soon as `fail` is called. */
  orFailure<T>(work: Promise<T>): Promise<T> {
    return new Promise((resolve, reject) => {
      this.#tellFailure = reject;
      work.then(resolve, reject);
      if (this.#failure) reject(this.#failure);
    });
  }

  /** Does `work` under a number by which the native side can cancel it. */
  async during<T>(work: (number: number) => Promise<T>): Promise<T> {
    this.#number = nextNumber();
    try {
      return await work(this.#number);
    } finally {
      this.#number = undefined;
    }
  }
}

/** A conversation that the native side has, too, once it was asked something. */
interface OpenChat {
  number: number;
  conversation: Conversation;
  /** Reads the images of the messages that it is made with, where it has not begun. */
  read(): Promise<unknown>;
  /** Begins it on the native side, where it has not begun. */
  open(): Promise<void>;
  add(question: string, images: number, answer: string): void;
}

type Ask = (
  image: ImageInput | readonly ImageInput[] | null,
  prompt: string,
  options: AskOptions,
  chat: OpenChat,
) => AnswerStream;

/** The SDK's chat, whose turns are kept on the native side. */
class NativeChat extends SdkChat {
  readonly #bridge: Bridge;
  readonly #number: number;
  readonly #begin: (messages: NativeMessage[]) => Promise<void>;
  readonly #messages: readonly PastMessage[];
  #read: Promise<NativeMessage[]> | undefined;
  #begun: Promise<void> | undefined;

  constructor(bridge: Bridge, model: number, options: ChatOptions, ask: Ask) {
    const number = nextNumber();
    const chatModel: ChatModel = {
      ask: (image, question, askOptions, conversation) => {
        // The native side keeps the images: only their count matters here.
        const add = (content: string, images: number, answer: string) => {
          if (conversation.disposed) return;
          conversation.messages.push(
            { role: "user", content, images: Array<number>(images).fill(0) },
            { role: "assistant", content: answer, images: [] },
          );
        };
        return ask(image as ImageInput, question, askOptions, {
          number,
          conversation,
          read: () => this.#readMessages(),
          open: () => this.#open(),
          add,
        }) as unknown as SdkAnswerStream;
      },
      forget() {},
    };
    super(chatModel, options as WebChatOptions);
    this.#bridge = bridge;
    this.#number = number;
    this.#messages = options.messages ?? [];
    this.#begin = (messages) => bridge.openChat(number, model, options.system, messages);
  }

  // What fails is tried again with the next question.
  #readMessages(): Promise<NativeMessage[]> {
    return (this.#read ??= readMessages(this.#messages).catch((error: unknown) => {
      this.#read = undefined;
      throw error;
    }));
  }

  #open(): Promise<void> {
    return (this.#begun ??= this.#readMessages()
      .then(this.#begin)
      .catch((error: unknown) => {
        this.#begun = undefined;
        throw error;
      }));
  }

  override dispose(): void {
    super.dispose();
    this.#begun?.then(() => this.#bridge.closeChat(this.#number)).catch(() => {});
  }
}
if (Symbol.dispose) NativeChat.prototype[Symbol.dispose] = NativeChat.prototype.dispose;
