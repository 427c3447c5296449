// The SDK's hook with the types of this package. The bundler gives its sources the TinyVLM of this
// package in the place of the web's.

import { useTinyVLM as useModel } from "../../../js-sdk/src/adapters/react.js";
import type { Shown as WebShown } from "../../../js-sdk/src/adapters/react/shown.js";
import type { LoadedModel } from "./model.js";
import type {
  Answer,
  AskOptions,
  ImageInput,
  LoadOptions,
  LoadProgress,
  ModelSource,
} from "./types.js";

/** Options of `useTinyVLM`: those of `TinyVLM.load`, and whether to. They may be written inline. */
export interface UseTinyVLMOptions extends Omit<LoadOptions, "signal"> {
  /**
   * Whether the model is loaded when the component appears, or else when this becomes true (or the
   * first question is asked). Default: true.
   */
  enabled?: boolean | undefined;
}

/** What a component shows of a model. */
export interface Shown extends Omit<WebShown, "progress" | "model" | "answer"> {
  /** How far loading is; undefined before it begins. */
  readonly progress: LoadProgress | undefined;
  /** The model, once `status` is `ready`. The hook disposes of it. */
  readonly model: LoadedModel | undefined;
  /** The last answer, when it is whole. */
  readonly answer: Answer | undefined;
}

/** What `useTinyVLM` returns: what to show, and what to do. */
export interface UseTinyVLM extends Shown {
  /**
   * Asks; `text` then grows. A question that is being answered is stopped, one that is asked while
   * the model loads waits for it. Never rejects: resolves with the answer, or with undefined where
   * the question failed (`error` says why), or was stopped before it began.
   */
  ask(
    image: ImageInput | readonly ImageInput[] | null,
    question: string,
    options?: AskOptions,
  ): Promise<Answer | undefined>;
  /** Ends the answer in progress; its text stays. */
  stop(): void;
}

/**
 * Loads the model at `source` for the component's life. It is loaded again where `source` or a load
 * option becomes another, and disposed of when the component disappears; React's StrictMode loads
 * it once. A question after a failed load tries again. `ask` and `stop` are the same functions as
 * long as source and options are.
 */
export const useTinyVLM = useModel as unknown as (
  source: ModelSource,
  options?: UseTinyVLMOptions,
) => UseTinyVLM;
