// What JavaScript and the native side (android/, ios/) say to each other. React Native's codegen
// reads this file alone and writes the interfaces that both implement.

/* oxlint-disable typescript/no-wrapper-object-types -- codegen knows `Object`, and no `object` */

import type { TurboModule } from "react-native";
import { TurboModuleRegistry } from "react-native";

// Codegen knows it by its name. The address of React Native's own type changes with its versions.
type EventEmitter<T> = (handler: (event: T) => void) => { remove(): void };

/** Text that a question's answer went on with. */
type TextEvent = {
  question: number;
  text: string;
};

/** How far a load is. `phase`: `download` or `weights`. */
type ProgressEvent = {
  model: number;
  phase: string;
  loadedBytes: number;
  totalBytes: number;
};

/**
 * Numbers of models, chats and questions are chosen by the caller and not used again. Promises
 * reject with the code of a TinyVLMError. `Object`s are those of bridge.ts.
 */
export interface Spec extends TurboModule {
  /** Loads a model. `source`: NativeSource; `options`: NativeLoadOptions. A ModelInfo. */
  load(model: number, source: Object, options: Object): Promise<Object>;
  /** Ends a load, which then rejects with `aborted`; nothing where it has ended. */
  cancelLoad(model: number): void;
  /**
   * Answers a question, of the chat or (0) of none. `images`: NativeImage; `options`:
   * NativeAskOptions. A NativeAnswer, the whole text in it.
   */
  ask(
    question: number,
    model: number,
    chat: number,
    images: Array<Object>,
    text: string,
    options: Object,
  ): Promise<Object>;
  /** Ends a question, which then resolves with what there is; nothing where it has ended. */
  cancel(question: number): void;
  /**
   * Begins a conversation. `system` is null for the model's own system prompt; `messages`, what was
   * said before: NativeMessage.
   */
  openChat(
    chat: number,
    model: number,
    system: string | null,
    messages: Array<Object>,
  ): Promise<void>;
  /** Ends a conversation and releases its images. */
  closeChat(chat: number): void;
  /** Bytes that the model and its context take. */
  memoryBytes(model: number): Promise<number>;
  /** Ends the model's questions and frees it. */
  dispose(model: number): Promise<void>;
  /** Deletes what was downloaded from an address; whether there was anything. */
  deleteDownload(url: string): Promise<boolean>;

  /** Sent about every 30 milliseconds while there is new text. */
  readonly onText: EventEmitter<TextEvent>;
  /** Sent about every 50 milliseconds while a model loads. */
  readonly onProgress: EventEmitter<ProgressEvent>;
}

export default TurboModuleRegistry.get<Spec>("TinyVLM");
