"use client";
// `tiny-vlm/react`: a model in a component.

import { useEffect, useMemo, useSyncExternalStore } from "react";
import type { Answer, AskOptions, ImageInput, LoadOptions, ModelSource } from "../api/types.js";
import { ModelState } from "./react/model-state.js";
import type { Shown } from "./react/shown.js";

export type { Shown } from "./react/shown.js";

/** Options of `useTinyVLM`: those of `TinyVLM.load`, and whether to. They may be written inline. */
export interface UseTinyVLMOptions extends Omit<LoadOptions, "signal"> {
  /**
   * Whether the model is loaded when the component appears, or else when this becomes true (or the
   * first question is asked). Default: true.
   */
  enabled?: boolean | undefined;
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
 * Loads the model at `source` (the demo model without one) for the component's life. It is loaded
 * again where `source` or a load option becomes another, and disposed of when the component
 * disappears; React's StrictMode loads it once. A question after a failed load tries again. `ask`
 * and `stop` are the same functions as long as source and options are.
 */
export function useTinyVLM(source?: ModelSource, options: UseTinyVLMOptions = {}): UseTinyVLM {
  const { enabled = true, ...load } = options;
  // Functions are those of the first rendering; all else is text, numbers and plain objects.
  const key = JSON.stringify([identityOf(source), load]);
  const state = useMemo(() => new ModelState(source, load), [key]);
  const shown = useSyncExternalStore(state.subscribe, state.snapshot, state.snapshot);
  useEffect(() => state.hold(), [state]);
  useEffect(() => {
    // Where it fails, `error` says so.
    if (enabled) state.load().catch(() => {});
  }, [state, enabled]);
  return { ...shown, ask: state.ask, stop: state.stop };
}

const numbers = new WeakMap<object, number>();
let last = 0;

// The same for the same address, and for the same object.
function identityOf(source: ModelSource | undefined): unknown {
  if (source === undefined || typeof source === "string") return source;
  if (source instanceof URL) return source.href;
  if (Array.isArray(source)) return source.map((one: ModelSource) => identityOf(one));
  if (!numbers.has(source)) numbers.set(source, ++last);
  return numbers.get(source);
}
