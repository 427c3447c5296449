// A model and the answer in progress as one state that changes: what the hook shows. It knows
// nothing of React but the two functions of an external store.

import { TinyVLM } from "tiny-vlm";
import type { LoadedModel } from "../../api/client.js";
import type { AnswerStream } from "../../api/stream.js";
import type { Answer, AskOptions, ImageInput, LoadOptions, ModelSource } from "../../api/types.js";
import { asTinyVLMError } from "../../protocol/errors.js";
import type { Shown } from "./shown.js";

const nothing: Shown = {
  status: "idle",
  progress: undefined,
  error: undefined,
  model: undefined,
  text: "",
  isAnswering: false,
  answer: undefined,
};

interface Loading {
  model: Promise<LoadedModel>;
  abort: AbortController;
}

interface Question {
  stream: AnswerStream | undefined;
  stopped: boolean;
}

/** One model of one component. Nothing happens before `hold`. */
export class ModelState {
  readonly #source: ModelSource | undefined;
  readonly #options: LoadOptions;
  readonly #listeners = new Set<() => void>();
  #shown = nothing;
  #isHeld = false;
  #loading: Loading | undefined;
  #disposal: ReturnType<typeof setTimeout> | undefined;
  // The question whose answer is shown.
  #question: Question | undefined;

  constructor(source: ModelSource | undefined, options: LoadOptions) {
    this.#source = source;
    this.#options = options;
  }

  readonly subscribe = (listener: () => void): (() => void) => {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  };

  readonly snapshot = (): Shown => this.#shown;

  /** From now on the model may be loaded; the function that it returns disposes of it. */
  hold(): () => void {
    clearTimeout(this.#disposal);
    this.#isHeld = true;
    // Not at once: React ends effects only to begin them again, in development.
    return () => {
      this.#disposal = setTimeout(() => this.#dispose());
    };
  }

  /** Loads the model, where it is not there yet. */
  load(): Promise<LoadedModel> {
    this.#loading ??= this.#load();
    return this.#loading.model;
  }

  /**
   * Asks; a question that is being answered is stopped. Resolves with the answer; with undefined
   * where the question failed (`error` says why), or where it was stopped before the first word.
   */
  readonly ask = async (
    image: ImageInput | readonly ImageInput[] | null,
    prompt: string,
    options?: AskOptions,
  ): Promise<Answer | undefined> => {
    this.stop();
    if (!this.#isHeld) return undefined; // of a component that is gone
    const question: Question = { stream: undefined, stopped: false };
    this.#question = question;
    const show = (part: Partial<Shown>) => {
      if (this.#question === question) this.#show(part);
    };
    show({ text: "", answer: undefined, error: undefined, isAnswering: true });
    try {
      const model = await this.load();
      if (question.stopped) return undefined;
      question.stream = model.ask(image, prompt, options);
      let text = "";
      // Not left early: stop() ends the stream itself.
      for await (const piece of question.stream) show({ text: (text += piece) });
      const answer = await question.stream;
      show({ text: answer.text, answer, isAnswering: false });
      return answer;
    } catch (reason) {
      show({ error: asTinyVLMError(reason), isAnswering: false });
      return undefined;
    }
  };

  /** Ends the answer in progress; its text stays. */
  readonly stop = (): void => {
    const question = this.#question;
    if (!question) return;
    question.stopped = true;
    if (question.stream) question.stream.cancel();
    else this.#show({ isAnswering: false });
  };

  #load(): Loading {
    const abort = new AbortController();
    const show = (part: Partial<Shown>) => {
      if (!abort.signal.aborted) this.#show(part);
    };
    // The next question, or nobody, tries again.
    const fail = (reason: unknown) => {
      if (!abort.signal.aborted) this.#loading = undefined;
      show({ status: "failed", model: undefined, error: asTinyVLMError(reason) });
    };
    show({ status: "loading", error: undefined });
    const model = TinyVLM.load(this.#source, {
      ...this.#options,
      signal: abort.signal,
      onProgress: (progress) => {
        show({ progress });
        this.#options.onProgress?.(progress);
      },
    });
    model.then((loaded) => {
      show({ status: "ready", model: loaded });
      loaded.whenReady.catch(fail); // with `early` the rest may still fail
    }, fail);
    return { model, abort };
  }

  #dispose(): void {
    const loading = this.#loading;
    this.#isHeld = false;
    this.#loading = undefined;
    this.#question = undefined;
    if (!loading) return;
    loading.abort.abort();
    // Where it does not load, there is nothing to dispose of.
    loading.model.then((model) => model.dispose()).catch(() => {});
    this.#show(nothing);
  }

  #show(part: Partial<Shown>): void {
    this.#shown = { ...this.#shown, ...part };
    for (const listener of this.#listeners) listener();
  }
}
