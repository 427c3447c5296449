// A loaded model in its worker: the object that callers hold. Questions are answered one at a time,
// in the order of the calls; one whose images are long in coming lets others go first.

import type { Channel } from "../protocol/channel.js";
import { abortedError, asTinyVLMError, TinyVLMError, type ErrorCode } from "../protocol/errors.js";
import {
  withIds,
  type AskReply,
  type Calls,
  type DrawRequest,
  type EmbedReply,
  type Message,
} from "../protocol/messages.js";
import type { ModelInfo, Variant } from "../protocol/values.js";
import type { Opened } from "./open.js";
import { Chat } from "./chat.js";
import { systemMessage, type ChatModel, type Conversation } from "./conversation.js";
import { checkAskOptions, checkChatOptions, checkEmbedOptions } from "./options.js";
import { Line, noCost } from "./line.js";
import type { Platform } from "./platform.js";
import { readImages, transferables } from "./sources.js";
import { AnswerStream } from "./stream.js";
import type {
  Answer,
  AskOptions,
  ChatOptions,
  Embedding,
  EmbedOptions,
  ImageInput,
} from "./types.js";

/** What `TinyVLM` is after loading; the class of each entry (browser, Node) adds `load`. */
export class LoadedModel {
  /** The build of the engine that runs: the best that this machine supports, or the one given. */
  readonly variant: Variant;
  /** How many threads compute; 1 in the builds without threads. */
  readonly threads: number;
  /** Name, sizes and limits of the loaded model. */
  readonly info: ModelInfo;
  /**
   * Resolves when all of the model is there, which it is after `load` unless `early` was asked for.
   * Rejects with the errors of `load`; questions then do, too.
   */
  readonly whenReady: Promise<void>;
  readonly #channel: Channel;
  readonly #platform: Platform;
  readonly #line = new Line();
  readonly #disposal = new AbortController(); // aborted, with the error as its reason, by dispose()

  /**
   * Called by `load` with an Opened, whose type is left out so that the public declarations do not
   * pull in the internal ones.
   */
  protected constructor(opened: object) {
    const { channel, started, info, platform, whenReady } = opened as Opened;
    this.whenReady = whenReady;
    this.#channel = channel;
    this.#platform = platform;
    this.variant = started.variant;
    this.threads = started.threads;
    this.info = info;
  }

  /**
   * Asks about an image, several, or none (null). The result is an async iterable of the answer's
   * text, and awaiting it gives the whole answer. `break`, `cancel()` and `options.signal` end the
   * work in the worker. Images are read when `ask` is called. Errors arrive where the result is
   * awaited or iterated: `invalid_argument`, `invalid_image`, `context_full`, `out_of_memory`,
   * `aborted`, `worker`, `not_ready` after `dispose()`, and `not_found`, `io`, `http` or `network`
   * where an image cannot be fetched.
   */
  ask(
    image: ImageInput | readonly ImageInput[] | null,
    prompt: string,
    options: AskOptions = {},
  ): AnswerStream {
    return this.#ask(image, prompt, options, undefined);
  }

  /**
   * Starts a conversation: each question is asked with the images and answers before it. Tokens of
   * the prompt that are the same as for the previous question are not computed again. Throws
   * `invalid_argument` where an option is not what ChatOptions says; roles in another order than
   * it says fail with it when a question is asked.
   */
  chat(options: ChatOptions = {}): Chat {
    checkChatOptions(options);
    const model: ChatModel = {
      ask: (image, question, options, conversation) =>
        this.#ask(image, question, options, conversation),
      forget: (imageIds) => this.#forget(imageIds),
    };
    return new Chat(model, options);
  }

  /**
   * Embeds an image: a vector by which images that look alike can be found, computed by the model's
   * vision tower and projector. It waits in line with the questions; an image that was asked about
   * or embedded lately is not encoded again. The image is read when `embed` is called. Errors are
   * those of `ask`; `unsupported` where the model reads text only.
   */
  async embed(image: ImageInput, options: EmbedOptions = {}): Promise<Embedding> {
    const began = performance.now();
    this.#checkAlive();
    checkEmbedOptions(options);
    const { rows = false, exactPreprocess = false, strict = false, signal } = options;
    const signals = signal ? [signal] : [];
    if (signal?.aborted) throw abortedError("the embedding", signal);
    const cancel = new AbortController();
    const given = [cancel.signal, this.#disposal.signal];
    const read = rejectOnAbort(readImages([image], exactPreprocess, this.#platform), given);
    const done = this.#inLine(read, given, (images) =>
      this.#work("embed", { images, exactPreprocess, strict, rows }, cancel.signal, {
        onEvent: (drawing) => void this.#draw(drawing),
        unsendable: "invalid_image",
      }),
    );
    const finish = ({ vector, rows, warnings, timings }: EmbedReply): Embedding => {
      const { decodeImageMs, preprocessMs, visionMs } = timings;
      const totalMs = performance.now() - began;
      return {
        vector,
        width: vector.length,
        tokens: this.info.imageTokens,
        ...(rows && { rows }),
        warnings,
        timings: { decodeImageMs, preprocessMs, visionMs, totalMs },
      };
    };
    return rejectOnAbort(done.then(finish), signals, () => cancel.abort(), "the embedding");
  }

  /** Bytes of memory that the engine has allocated, weights included. Rejects after `dispose()`. */
  async memoryBytes(): Promise<number> {
    this.#checkAlive();
    return this.#channel.call("memory", undefined).reply;
  }

  /**
   * Ends the worker and frees its memory. Answers in progress reject with `aborted`, later
   * questions with `not_ready`. May be called more than once.
   */
  async dispose(): Promise<void> {
    const error = new TinyVLMError("aborted", "the model was disposed");
    this.#disposal.abort(error);
    await this.#channel.close(error);
  }

  #ask(
    image: ImageInput | readonly ImageInput[] | null,
    prompt: string,
    options: AskOptions,
    conversation: Conversation | undefined,
  ): AnswerStream {
    const began = performance.now();
    const cancel = new AbortController();
    return new AnswerStream(
      (emit) => this.#answer(image, prompt, options, conversation, began, emit, cancel),
      () => cancel.abort(),
    );
  }

  // A worker that has ended has nothing to forget.
  #forget(imageIds: number[]): void {
    if (!this.#disposed) this.#channel.call("forget", { imageIds }).reply.catch(() => {});
  }

  async #answer(
    image: ImageInput | readonly ImageInput[] | null,
    prompt: string,
    options: AskOptions,
    conversation: Conversation | undefined,
    began: number,
    emit: (piece: string) => void,
    cancel: AbortController,
  ): Promise<Answer> {
    this.#checkAlive();
    if (conversation?.disposed)
      throw new TinyVLMError("not_ready", "the chat was disposed; make another");
    const { system, sampling, exactPreprocess, strict, signals } = checkAskOptions(prompt, options);
    if (conversation && system !== undefined)
      throw new TinyVLMError(
        "invalid_argument",
        "wanted the system text when the chat is made, found one with a question",
      );
    const aborted = signals.find((signal) => signal.aborted);
    if (aborted) throw abortedError("the question", aborted);
    const text: string[] = [];
    let firstTokenMs = 0;
    const onEvent = (piece: string | DrawRequest) => {
      if (typeof piece !== "string") return void this.#draw(piece);
      if (text.length === 0) firstTokenMs = performance.now() - began;
      text.push(piece);
      emit(piece);
    };
    const finish = (reply: AskReply): Answer => {
      const { decodeImageMs, preprocessMs, visionMs, prefillMs, decodeMs, tokensPerSecond } =
        reply.timings;
      const totalMs = performance.now() - began;
      const timings = {
        decodeImageMs,
        preprocessMs,
        visionMs,
        prefillMs,
        firstTokenMs,
        decodeMs,
        totalMs,
        tokensPerSecond,
      };
      const { imageIds: _, ...said } = reply;
      return { ...said, timings, variant: this.variant, threads: this.threads };
    };

    // A question of a chat needs the turns before it: it does not overtake them.
    const reading = Promise.all([
      readImages(
        conversation?.unread.length ? conversation.unread : null,
        exactPreprocess,
        this.#platform,
      ),
      readImages(image, exactPreprocess, this.#platform),
      conversation?.imagesRead,
    ]);
    const given = [cancel.signal, this.#disposal.signal];
    const read = rejectOnAbort(reading, given);
    if (conversation) conversation.imagesRead = read.catch(() => {});
    const done = this.#inLine(read, given, async ([before, own]) => {
      // An earlier question may have taken the images before it along meanwhile.
      const images = conversation?.unread.length ? [...before, ...own] : own;
      const places = own.map((_, index) => own.length - images.length - index - 1);
      const question: Message = { role: "user", content: prompt, images: places };
      const messages = [...(conversation?.messages ?? systemMessage(system)), question];
      const args = {
        messages,
        images,
        exactPreprocess,
        strict,
        sampling,
        keepImages: conversation !== undefined,
      };
      const reply = await this.#work("ask", args, cancel.signal, {
        onEvent,
        // All else in `args` is text and numbers.
        unsendable: sampling.responseFormat ? "invalid_argument" : "invalid_image",
      });
      const counts =
        !signals.some((signal) => signal.aborted) &&
        (reply.finishReason !== "cancelled" || reply.text !== "");
      if (counts && conversation && !conversation.disposed) {
        const answer: Message = { role: "assistant", content: reply.text, images: [] };
        conversation.messages = withIds([...messages, answer], reply.imageIds);
        conversation.unread = [];
      } else if (reply.imageIds.length > 0) this.#forget(reply.imageIds);
      return reply;
    });
    const answer = done.then(finish, (error: unknown) => {
      // Ended before there was anything to tell.
      if (cancel.signal.aborted && asTinyVLMError(error).code === "aborted" && !this.#disposed)
        return finish(nothing);
      throw error;
    });
    return rejectOnAbort(answer, signals, () => cancel.abort());
  }

  // Sends a call that works on images; `signal` cancels it.
  #work<Name extends "ask" | "embed">(
    name: Name,
    args: Calls[Name]["args"],
    signal: AbortSignal,
    options: { onEvent: (event: Calls[Name]["event"]) => void; unsendable: ErrorCode },
  ): Promise<Calls[Name]["reply"]> {
    const transfer = transferables(args.images);
    const call = this.#channel.call(name, args, { ...options, transfer });
    signal.addEventListener("abort", call.cancel, { once: true });
    if (signal.aborted) call.cancel();
    return call.reply;
  }

  // Runs `work` in its turn; rejects where one of `signals` fires before.
  #inLine<T, R>(
    prepared: Promise<T>,
    signals: AbortSignal[],
    work: (prepared: T) => Promise<R>,
  ): Promise<R> {
    return this.#line.wait(prepared, (before) => rejectOnAbort(before, signals), work);
  }

  // Draws a file for the worker, which waits for the image or for the reason why there is none.
  async #draw({ drawing, file, svg }: DrawRequest): Promise<void> {
    const image = await this.#platform
      .drawFile(file, svg, this.info.imageSize)
      .catch((reason: unknown) => asTinyVLMError(reason).message);
    const transfer = typeof image === "string" ? [] : transferables([image]);
    await this.#channel.call("drawn", { drawing, image }, { transfer }).reply.catch(() => {});
  }

  get #disposed(): boolean {
    return this.#disposal.signal.aborted;
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
// Older browsers do not have the symbol.
if (Symbol.asyncDispose) LoadedModel.prototype[Symbol.asyncDispose] = LoadedModel.prototype.dispose;

const nothing: AskReply = {
  imageIds: [],
  warnings: [],
  text: "",
  finishReason: "cancelled",
  ...noCost,
};

/**
 * `promise`, or a rejection with `aborted` ("`what` was cancelled") as soon as one of `signals`
 * fires; `onAbort` is called then. The signals keep nothing of a question that has ended.
 */
function rejectOnAbort<T>(
  promise: Promise<T>,
  signals: AbortSignal[],
  onAbort = () => {},
  what = "the question",
): Promise<T> {
  if (signals.length === 0) return promise;
  return new Promise((resolve, reject) => {
    const abort = () => {
      const signal = signals.find((each) => each.aborted);
      // dispose() brings its own error.
      const disposed = signal?.reason instanceof TinyVLMError && signal.reason.code === "aborted";
      reject(disposed ? signal.reason : abortedError(what, signal));
      stopListening();
      onAbort();
    };
    const stopListening = () => {
      for (const signal of signals) signal.removeEventListener("abort", abort);
    };
    for (const signal of signals) signal.addEventListener("abort", abort);
    if (signals.some((signal) => signal.aborted)) abort();
    void promise.then(resolve, reject).finally(stopListening);
  });
}
