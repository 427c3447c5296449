// The native module as the rest of the package sees it: errors are TinyVLMErrors, events reach the
// question or load that they belong to, and those that come too late reach nobody.

import {
  asTinyVLMError,
  errorNumbers,
  TinyVLMError,
  type ErrorCode,
} from "../../../js-sdk/src/protocol/errors.js";
import type { AskReply } from "../../../js-sdk/src/protocol/messages.js";
import type { Sampling, SessionSettings } from "../../../js-sdk/src/protocol/values.js";
import module, { type Spec } from "./NativeTinyVLM.js";
import type { ModelInfo } from "./types.js";

/** Where a model file is, as the native side is told. */
export type NativeSource =
  | { kind: "download"; url: string; headers: Record<string, string>; stallTimeout: number }
  | { kind: "file"; path: string }
  | { kind: "asset"; name: string }
  | { kind: "content"; uri: string };

/** The options of `load` that concern the engine. */
export type NativeLoadOptions = SessionSettings & { threads?: number };

/** An image: an address on the device, or bytes as base64 of a file or of RGBA pixels. */
export type NativeImage =
  { uri: string } | { file: string } | { rgba: string; width: number; height: number };

/** A message that a chat is made with. */
export interface NativeMessage {
  role: "user" | "assistant";
  content: string;
  images: NativeImage[];
}

/** The options of `ask`. `schema` is JSON. */
export type NativeAskOptions = Omit<Sampling, "responseFormat"> & {
  schema?: string;
  choices?: readonly string[];
  pattern?: string;
  system?: string;
  exactPreprocess: boolean;
  strict: boolean;
};

/** What a question resolves with; the native side tells all but `logprobs` always. */
export type NativeAnswer = Pick<AskReply, "text" | "finishReason"> &
  Partial<Omit<AskReply, "imageIds">>;

/** How far a load is, as the native side tells it. */
export interface NativeProgress {
  phase: string;
  loadedBytes: number;
  totalBytes: number;
}

/** The native module with its events sorted. */
export class Bridge {
  readonly #module: Spec;
  readonly #questions = new Map<number, (text: string) => void>();
  readonly #loads = new Map<number, (progress: NativeProgress) => void>();

  constructor(native: Spec) {
    this.#module = native;
    native.onText(({ question, text }) => this.#questions.get(question)?.(text));
    native.onProgress(({ model, ...progress }) => this.#loads.get(model)?.(progress));
  }

  /** Loads a model under the number `model`. */
  load(
    model: number,
    source: NativeSource,
    options: NativeLoadOptions,
    onProgress: (progress: NativeProgress) => void,
  ): Promise<ModelInfo> {
    return during(this.#loads, model, onProgress, () =>
      this.#module.load(model, source, options),
    ) as Promise<ModelInfo>;
  }

  /** Ends a load, which then rejects. */
  cancelLoad(model: number): void {
    this.#module.cancelLoad(model);
  }

  /** Asks; the answer has the whole text, whatever `onText` was told of it. */
  ask(
    question: number,
    [model, chat]: readonly [number, number],
    images: NativeImage[],
    prompt: string,
    options: NativeAskOptions,
    onText: (text: string) => void,
  ): Promise<NativeAnswer> {
    return during(this.#questions, question, onText, () =>
      this.#module.ask(question, model, chat, images, prompt, options),
    ) as Promise<NativeAnswer>;
  }

  /** Ends a question, which then resolves. */
  cancel(question: number): void {
    this.#module.cancel(question);
  }

  /** Begins a conversation under the number `chat`. */
  openChat(
    chat: number,
    model: number,
    system: string | undefined,
    messages: NativeMessage[],
  ): Promise<void> {
    return this.#module.openChat(chat, model, system ?? null, messages).catch(rethrow);
  }

  /** Ends a conversation. */
  closeChat(chat: number): void {
    this.#module.closeChat(chat);
  }

  /** Bytes that a model takes. */
  memoryBytes(model: number): Promise<number> {
    return this.#module.memoryBytes(model).catch(rethrow);
  }

  /** Frees a model. */
  dispose(model: number): Promise<void> {
    return this.#module.dispose(model).catch(rethrow);
  }

  /** Deletes a download; whether there was one. */
  deleteDownload(url: string): Promise<boolean> {
    return this.#module.deleteDownload(url).catch(rethrow);
  }
}

let bridge: Bridge | undefined;

/** The app's bridge. Throws `unsupported` where the app was built without the native module. */
export function theBridge(): Bridge {
  if (!module)
    throw new TinyVLMError(
      "unsupported",
      "the native module TinyVLM is not in this app: build the app again after installing " +
        "react-native-tiny-vlm (on iOS after `pod install`). It wants React Native's New " +
        "Architecture, and is not in Expo Go",
    );
  return (bridge ??= new Bridge(module));
}

let last = 0;

/** A number that no model, chat or question has had. */
export const nextNumber = (): number => ++last;

async function during<Event>(
  listeners: Map<number, (event: Event) => void>,
  number: number,
  listener: (event: Event) => void,
  work: () => Promise<unknown>,
): Promise<unknown> {
  listeners.set(number, listener);
  try {
    return await work();
  } catch (reason) {
    throw errorOf(reason);
  } finally {
    listeners.delete(number);
  }
}

function rethrow(reason: unknown): never {
  throw errorOf(reason);
}

/** A rejection of the native module, which carries one of our codes, as our error. */
function errorOf(reason: unknown): TinyVLMError {
  const { code, message, userInfo } = Object(reason) as {
    code?: unknown;
    message?: unknown;
    userInfo?: { status?: unknown } | null;
  };
  if (typeof code !== "string" || !(code in errorNumbers)) return asTinyVLMError(reason);
  const status = typeof userInfo?.status === "number" ? userInfo.status : undefined;
  return new TinyVLMError(code as ErrorCode, String(message), { cause: reason, status });
}
