// What the hook shows.

import type { LoadedModel } from "../../api/client.js";
import type { Answer, LoadProgress } from "../../api/types.js";
import type { TinyVLMError } from "../../protocol/errors.js";

/** What a component shows of a model. */
export interface Shown {
  /**
   * `idle` before loading begins, `loading`, then `ready` (the model can be asked) or `failed`
   * (`error` says why).
   */
  readonly status: "idle" | "loading" | "ready" | "failed";
  /** How far loading is; undefined before it begins. */
  readonly progress: LoadProgress | undefined;
  /** Why loading failed, or the last question; undefined once another question is asked. */
  readonly error: TinyVLMError | undefined;
  /** The model, once `status` is `ready`. The hook disposes of it. */
  readonly model: LoadedModel | undefined;
  /** The text of the answer, as far as it has come; `""` before the first. */
  readonly text: string;
  /** Whether a question is being answered, or waits for the model. */
  readonly isAnswering: boolean;
  /** The last answer, when it is whole. */
  readonly answer: Answer | undefined;
}
