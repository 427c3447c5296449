// The engine as an object: owns the model and the session, writes bytes into the heap, and is the
// one place that turns a code into a TinyVLMError.

import { codeOfNumber, describeReason, TinyVLMError } from "../protocol/errors.js";
import type { AskReply, Message } from "../protocol/messages.js";
import { bytesOfHex } from "../protocol/hex.js";
import type { ModelInfo, ModelLayout, Sampling, SessionSettings } from "../protocol/values.js";
import type { EngineFunctions, EngineModule } from "./module.js";

/** What addImage is told about the bytes; `encoded` is a PNG or JPEG file. */
export type ImageFormat =
  { format: "encoded" } | { format: "rgba" | "rgb"; width: number; height: number };

/**
 * Fills `target` with an image's bytes from `offset` on. `target` is a view of the engine's memory
 * and of no use afterwards.
 */
export type ReadBytes = (offset: number, target: Uint8Array) => void;

/** What the engine says of a finished (or cancelled) answer or embedding. */
export type EngineResult = Omit<AskReply, "imageIds" | "warnings">;

/** How an image is added. */
export type ImageOptions = ImageFormat & { exact: boolean; strict?: boolean };

/** An image file as it looks without decoding it. */
export interface ImageReport {
  /** "PNG", "JPEG", "WebP", "SVG" …; "": not recognised. */
  format: string;
  /** Whether other decoders draw what the engine does. */
  whole: boolean;
  /** Defects that decoders draw over. */
  warnings: string[];
}

/** What modelInfo tells of the file; the last two only where it has hashes. */
interface LayoutReport {
  headerBytes: number;
  fileBytes: number;
  chunkBytes?: number;
  chunkSha256?: string;
}

/** What sessionCreate tells. */
type SessionReport = Pick<ModelInfo, "imageSize" | "imageTokens" | "context">;

// What can fail; freeing cannot, nor asking how a call ended.
type CallName = Exclude<keyof EngineFunctions, "modelFree" | "sessionFree" | `last${string}`>;

// tvlm_load_state of cpp/api/tinyvlm.h.
const loadStates = ["header", "data", "complete"] as const;

// Pixels enough to run every loop of the resizing.
const warmUpSide = 512;

// tvlm_run_state of cpp/api/tinyvlm.h.
const runStates = ["running", "done", "waiting", "busy"] as const;

/** How far an answer is. */
export type RunState = (typeof runStates)[number];

// TVLM_IMAGE_EXACT and TVLM_IMAGE_STRICT.
const exactFlag = 1;
const strictFlag = 2;

export class Engine {
  readonly #module: EngineModule;
  readonly #onCrash: (error: TinyVLMError) => void;
  // Addresses; 0 where there is none, so that a freed one is never used.
  #model = 0;
  #session = 0;
  // Of the session that there is, or that the next call which needs one makes.
  #wanted: SessionSettings | undefined;
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

  /** An empty model in place of the one that was there, whose session goes with it. */
  createModel(threads: number): void {
    this.dispose();
    this.#model = this.#call("modelCreate", JSON.stringify({ threads }));
  }

  /**
   * Adds the next bytes of the file. `verified`: the whole header, or whole chunks of the data
   * section, whose hashes the caller has compared. Returns how far the model is.
   */
  appendToModel(bytes: Uint8Array, verified: boolean): "header" | "data" | "complete" {
    const model = this.#openModel();
    const address = this.#call("modelReserve", model, bytes.length);
    this.#module.HEAPU8.set(bytes, address);
    const state = loadStates[this.#call("modelCommit", model, bytes.length, verified)];
    return state ?? "header";
  }

  /**
   * The place of `bytes` bytes of the data section, `ahead` bytes behind the last one that was
   * added. undefined where the memory is shared between threads: files are not read into that.
   */
  placeInModel(ahead: number, bytes: number): Uint8Array<ArrayBuffer> | undefined {
    if (!(this.#module.HEAPU8.buffer instanceof ArrayBuffer)) return undefined;
    const address = this.#call("modelReserve", this.#openModel(), ahead + bytes);
    const memory = this.#module.HEAPU8 as Uint8Array<ArrayBuffer>;
    return memory.subarray(address + ahead, address + ahead + bytes);
  }

  /** Adds the next bytes of the file, which were placed; as verified ones. */
  takePlacedInModel(bytes: number): void {
    const model = this.#openModel();
    this.#call("modelReserve", model, bytes);
    this.#call("modelCommit", model, bytes, true);
  }

  /** Sizes and hashes of the file's parts; once the header is whole. */
  modelLayout(): ModelLayout {
    const info = JSON.parse(this.#textOf("modelInfo", this.#openModel())) as LayoutReport;
    const { headerBytes, fileBytes, chunkBytes = 0, chunkSha256 = "" } = info;
    return { headerBytes, fileBytes, chunkBytes, chunkSha256: bytesOfHex(chunkSha256) };
  }

  /** The file has ended; throws `invalid_file` where more was to come. */
  endModel(): void {
    this.#call("modelEnd", this.#openModel());
  }

  modelInfo(): ModelInfo {
    const text = this.#textOf("modelInfo", this.#openModel());
    // How the file is laid out and how much of it is there is the loader's business.
    const layout = ["headerBytes", "chunkBytes", "chunkSha256", "state", "receivedBytes"];
    const info = JSON.parse(text, (key, value: unknown) =>
      layout.includes(key) ? undefined : value,
    ) as ModelInfo;
    return { ...info, ...this.#settings };
  }

  /** A session in place of the one that was there. */
  createSession(settings: SessionSettings): void {
    this.#freeSession();
    this.#wanted = settings;
    this.#session = this.#call("sessionCreate", this.#openModel(), JSON.stringify(settings));
    this.#settings = JSON.parse(this.#module.lastText()) as SessionReport;
  }

  /**
   * Works for about `budgetMs` on an empty image, then puts a new session in place of this one. A
   * wasm function runs in the slow first tier until it has been called often; this way the first
   * question finds the engine's loops compiled well. Throws nothing: what fails here fails again
   * where it counts.
   */
  warmUp(budgetMs: number): void {
    try {
      const images: number[] = [];
      if (this.#settings.imageSize > 0) {
        const format = {
          format: "rgb",
          width: warmUpSide,
          height: warmUpSide,
          exact: false,
        } as const;
        const black = (_: number, pixels: Uint8Array) => void pixels.fill(0);
        images.push(this.addImage(warmUpSide * warmUpSide * 3, format, black).id);
      }
      this.ask([{ role: "user", content: " ", images }], {});
      const end = performance.now() + budgetMs;
      for (let left = budgetMs; left > 0; left = end - performance.now())
        if (this.advance(left).state === "done") break;
    } catch {
      // A context too small for an image, say, which is the caller's choice.
    }
    this.#freeSession();
    try {
      this.#openSession();
    } catch {
      // Memory that is missing now: the next call tries again, and tells.
    }
  }

  /**
   * Adds an image of `bytes` bytes; returns its number and what was wrong with its file. `read` is
   * called for one piece after the other: for whole rows of pixels, each once from the top on; for
   * any part of a file, mostly from front to back, some parts again. What it throws is thrown here.
   */
  addImage(
    bytes: number,
    options: ImageOptions,
    read: ReadBytes,
  ): { id: number; warnings: string[] } {
    const session = this.#openSession();
    const flags = (options.exact ? exactFlag : 0) | (options.strict ? strictFlag : 0);
    const id = this.#reading(read, () =>
      options.format === "encoded"
        ? this.#call("addImage", session, bytes, flags)
        : this.#call(
            "addPixels",
            session,
            options.format.length,
            options.width,
            options.height,
            flags,
          ),
    );
    const text = this.#module.lastText();
    return { id, warnings: text ? (JSON.parse(text) as ImageReport).warnings : [] };
  }

  /**
   * Looks at an image file of `bytes` bytes. Throws `invalid_image` for a PNG with damaged chunks
   * (`strict`: also those that are not needed) and for an empty file.
   */
  inspectImage(bytes: number, strict: boolean, read: ReadBytes): ImageReport {
    const session = this.#openSession();
    this.#reading(read, () => this.#call("inspectImage", session, bytes, strict ? strictFlag : 0));
    return JSON.parse(this.#module.lastText()) as ImageReport;
  }

  // Makes a call that reads an image.
  #reading(read: ReadBytes, call: () => number): number {
    const module = this.#module;
    let failure: { reason: unknown } | undefined;
    module.readImage = (offset, address, count) => {
      try {
        read(offset, module.HEAPU8.subarray(address, address + count));
        return 0;
      } catch (reason) {
        // Not through the engine's own frames, which would leave what they allocated behind.
        failure = { reason };
        return 1;
      }
    };
    try {
      return call();
    } catch (error) {
      throw failure ? failure.reason : error;
    } finally {
      module.readImage = undefined;
    }
  }

  /** Forgets an image. An answer that is under way still knows it. */
  dropImage(image: number): void {
    this.#call("dropImage", this.#openSession(), image);
  }

  ask(messages: Message[], sampling: Sampling): void {
    // Half a surrogate pair is no character: JSON would carry it, UTF-8 cannot.
    const wellFormed = (_: string, value: unknown) =>
      typeof value === "string" ? value.replace(/[\ud800-\udfff]/gu, "\ufffd") : value;
    const request = JSON.stringify({ messages, ...sampling }, wellFormed);
    this.#call("sessionAsk", this.#openSession(), request);
  }

  /** Starts an embedding of an image in place of an answer; `advance` works on it, too. */
  embed(image: number): void {
    this.#call("sessionEmbed", this.#openSession(), image);
  }

  /** A copy of the embedding that is complete, or of its rows. */
  embedding(rows: boolean): Float32Array<ArrayBuffer> {
    const address = this.#call("sessionEmbedding", this.#openSession(), rows);
    const count = Number(this.#module.lastText());
    return new Float32Array(new Float32Array(this.#module.HEAPU8.buffer, address, count));
  }

  /**
   * Works for about `budgetMs`; `text` is what was said meanwhile, in whole characters. `waiting`:
   * for weights that have not arrived; `busy`: a device computes, and another call is only worth it
   * a little later.
   */
  advance(budgetMs: number): { state: RunState; text: string } {
    const value = this.#call("sessionAdvance", this.#openSession(), budgetMs);
    const text = this.#module.lastText();
    const state = runStates[value];
    if (state === undefined)
      throw new TinyVLMError("internal", `a state of the engine wanted, found ${value}`);
    return { state, text };
  }

  result(): EngineResult {
    return JSON.parse(this.#textOf("sessionReport", this.#openSession())) as EngineResult;
  }

  /** Frees session and model; calls that need one throw `not_ready` from then on. */
  dispose(): void {
    this.#freeSession();
    this.#wanted = undefined;
    const model = this.#model;
    this.#model = 0;
    if (model !== 0) this.#module.modelFree(model);
  }

  #freeSession(): void {
    const session = this.#session;
    this.#session = 0;
    if (session !== 0) this.#module.sessionFree(session);
  }

  #openModel(): number {
    if (this.#model === 0) throw new TinyVLMError("not_ready", "there is no model, or no more");
    return this.#model;
  }

  #openSession(): number {
    if (this.#session === 0 && this.#wanted) this.createSession(this.#wanted);
    if (this.#session === 0) throw new TinyVLMError("not_ready", "there is no session, or no more");
    return this.#session;
  }

  // Calls a function of the engine; returns its value.
  #call<Name extends CallName>(name: Name, ...args: Parameters<EngineFunctions[Name]>): number {
    const module = this.#module;
    let value: number;
    let code: number;
    try {
      value = (module[name] as (...args: unknown[]) => number)(...args);
      code = module.lastCode();
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
    if (code !== 0) throw new TinyVLMError(codeOfNumber(code), module.lastMessage());
    return value;
  }

  // Likewise; returns what it had to say.
  #textOf<Name extends CallName>(name: Name, ...args: Parameters<EngineFunctions[Name]>): string {
    this.#call(name, ...args);
    return this.#module.lastText();
  }
}
