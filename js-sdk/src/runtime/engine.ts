// The engine as an object: owns the handles, writes bytes into the heap, and is the one place that
// turns a status into a TinyVLMError.

import { codeOfNumber, describeReason, TinyVLMError } from "../protocol/errors.js";
import type { AskReply } from "../protocol/messages.js";
import type { ModelInfo, Sampling, SessionSettings } from "../protocol/values.js";
import type { EngineFunctions, EngineModule, EngineReply } from "./module.js";

/** What imageAdd is told about the bytes; `encoded` is a whole PNG or JPEG file. */
export type ImageFormat =
  { format: "encoded" } | { format: "rgba" | "rgb"; width: number; height: number };

/** What the engine says of a finished (or cancelled) answer. */
export type EngineResult = Omit<AskReply, "timings" | "imageIds"> & {
  timings: Omit<AskReply["timings"], "decodeImageMs">;
};

/** What sessionCreate tells. */
type SessionReport = Pick<ModelInfo, "imageSize" | "imageTokens" | "context">;

/** A message of a conversation, with the numbers of its images. */
export interface EngineMessage {
  role: "system" | "user" | "assistant";
  content: string;
  images?: number[];
}

// Pixels enough to run every loop of the resizing.
const warmUpSide = 512;

export class Engine {
  readonly #module: EngineModule;
  readonly #onCrash: (error: TinyVLMError) => void;
  #model = 0;
  #session = 0;
  #settings: SessionReport = { imageSize: 0, imageTokens: 0, context: 0 };

  /**
   * `onCrash` is told when the engine is beyond use (a trap), beside the error that the call
   * throws.
   */
  constructor(module: EngineModule, onCrash: (error: TinyVLMError) => void) {
    this.#module = module;
    this.#onCrash = onCrash;
  }

  get memoryBytes(): number {
    return this.#module.HEAPU8.buffer.byteLength;
  }

  createModel(threads: number): void {
    this.#model = this.#call("modelCreate", JSON.stringify({ threads })).value;
  }

  /** Adds the next bytes of the file. True once the last tensor is ready. */
  appendToModel(chunk: Uint8Array): boolean {
    const address = this.#call("modelReserve", this.#model, chunk.length).value;
    this.#module.HEAPU8.set(chunk, address);
    return this.#call("modelCommit", this.#model, chunk.length).value === 2;
  }

  /** The file has ended; throws `invalid_file` where more was to come. */
  endModel(): void {
    this.#call("modelEnd", this.#model);
  }

  modelInfo(): ModelInfo {
    return {
      ...(JSON.parse(this.#call("modelInfo", this.#model).text) as ModelInfo),
      ...this.#settings,
    };
  }

  createSession(settings: SessionSettings): void {
    const { value, text } = this.#call("sessionCreate", this.#model, JSON.stringify(settings));
    this.#session = value;
    this.#settings = JSON.parse(text) as SessionReport;
  }

  /**
   * Works for about `budgetMs` on an empty image in a session of its own. A wasm function runs in
   * the slow first tier until it has been called often; this way the first question finds the
   * engine's loops compiled well.
   */
  warmUp(settings: SessionSettings, budgetMs: number): void {
    this.createSession(settings);
    try {
      const images: number[] = [];
      if (this.#settings.imageSize > 0) {
        const format = {
          format: "rgb",
          width: warmUpSide,
          height: warmUpSide,
          exact: false,
        } as const;
        images.push(
          this.addImage(warmUpSide * warmUpSide * 3, format, (pixels) => pixels.fill(0)).image,
        );
      }
      this.ask([{ role: "user", content: " ", images }], {});
      const end = performance.now() + budgetMs;
      for (let left = budgetMs; left > 0; left = end - performance.now())
        if (this.advance(left).done) break;
    } catch (error) {
      // A context too small for an image is the caller's choice.
      if (!(error instanceof TinyVLMError && error.code === "context_full")) throw error;
    }
    this.#call("sessionDispose", this.#session);
  }

  /**
   * Adds an image; `image` is its number. `write` fills a view of the heap that dies with the next
   * call.
   */
  addImage(
    bytes: number,
    options: ImageFormat & { exact: boolean },
    write: (target: Uint8Array) => void,
  ): { image: number; decodeMs: number } {
    const address = this.#call("imageReserve", this.#session, bytes).value;
    write(this.#module.HEAPU8.subarray(address, address + bytes));
    const { value, text } = this.#call(
      "imageAdd",
      this.#session,
      JSON.stringify({ bytes, ...options }),
    );
    return { image: value, decodeMs: (JSON.parse(text) as { decodeMs: number }).decodeMs };
  }

  /** Forgets an image. An answer that is under way still knows it. */
  dropImage(image: number): void {
    this.#call("imageDrop", this.#session, image);
  }

  ask(messages: EngineMessage[], sampling: Sampling): void {
    this.#call("sessionAsk", this.#session, JSON.stringify({ messages, ...sampling }));
  }

  /** Works for about `budgetMs`; `text` is what was said meanwhile, in whole characters. */
  advance(budgetMs: number): { done: boolean; text: string } {
    const { value, text } = this.#call("sessionAdvance", this.#session, budgetMs);
    if (value === 2)
      throw new TinyVLMError(
        "internal",
        "the engine waits for weights of a model that is complete",
      );
    return { done: value === 1, text };
  }

  result(): EngineResult {
    return JSON.parse(this.#call("sessionResult", this.#session).text) as EngineResult;
  }

  #call<Name extends keyof EngineFunctions>(
    name: Name,
    ...args: Parameters<EngineFunctions[Name]>
  ): EngineReply {
    let reply: EngineReply;
    try {
      reply = (this.#module[name] as (...args: unknown[]) => EngineReply)(...args);
    } catch (reason) {
      // A trap leaves the engine's memory in an unknown state.
      const crash = new TinyVLMError(
        "worker",
        `the engine crashed in ${name}: ${describeReason(reason)}`,
        { cause: reason },
      );
      this.#onCrash(crash);
      throw crash;
    }
    if (reply.code !== 0) throw new TinyVLMError(codeOfNumber(reply.code), reply.message);
    return reply;
  }
}
