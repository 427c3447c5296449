// `tiny-vlm/prompt-api`: the browser's Prompt API (`LanguageModel`) with a model of the page's own,
// where the browser has none.

import type { LoadedModel } from "../api/client.js";
import type { AnswerStream } from "../api/stream.js";
import type { AskOptions, LoadOptions, ModelSource, ResponseFormat } from "../api/types.js";
import { asTinyVLMError } from "../protocol/errors.js";
import { askIn, type Said } from "./conversation.js";
import { exceptionOf, notSupported } from "./prompt-api/exceptions.js";
import { readPrompt } from "./prompt-api/messages.js";
import { SharedModel } from "./prompt-api/shared-model.js";
import type {
  Availability,
  CreateCoreOptions,
  CreateOptions,
  DownloadMonitor,
  LanguageModelClass,
  LanguageModelParams,
  LanguageModelSession,
  Prompt,
  PromptOptions,
  SamplingMode,
  SignalOptions,
} from "./prompt-api/types.js";

export type * from "./prompt-api/types.js";

/** Options of `promptApi`: those of `TinyVLM.load`, and the model. */
export interface PromptApiOptions extends Omit<LoadOptions, "signal"> {
  /** The model. Default: the demo model. */
  source?: ModelSource | undefined;
}

const params: LanguageModelParams = {
  defaultTopK: 1,
  maxTopK: 128,
  defaultTemperature: 0,
  maxTemperature: 2,
};

const temperatures: ReadonlyMap<SamplingMode, number> = new Map([
  ["default", params.defaultTemperature],
  ["most-predictable", 0],
  ["predictable", 0.2],
  ["balanced", 0.5],
  ["creative", 0.8],
  ["most-creative", 1.1],
]);

/**
 * A class with the shape of the Prompt API's `LanguageModel`. Its sessions share one model, which is
 * loaded for the first of them and disposed of with the last.
 */
export function promptApi({ source, ...load }: PromptApiOptions = {}): LanguageModelClass {
  const shared = new SharedModel(source, load);

  /** What a session is made of. */
  interface Made {
    model: LoadedModel;
    release: () => void;
    options: CreateCoreOptions;
    said: Said[];
    contextUsage: number;
  }

  class LanguageModel extends EventTarget implements LanguageModelSession {
    static async availability(options: CreateCoreOptions = {}): Promise<Availability> {
      samplingOf(options);
      return whyNot(options) ? "unavailable" : shared.state();
    }

    static async params(): Promise<LanguageModelParams> {
      return { ...params };
    }

    static async create(options: CreateOptions = {}): Promise<LanguageModel> {
      const { signal, monitor, initialPrompts = [], ...core } = options;
      signal?.throwIfAborted();
      samplingOf(core);
      const reason = whyNot(core);
      if (reason) throw notSupported(reason);
      const said = await readPrompt(initialPrompts, takesImages(core), true);
      const target = new EventTarget();
      monitor?.(target as DownloadMonitor);
      let last = -1;
      const watch = (loaded: number) => {
        if (loaded <= last) return;
        last = loaded;
        const event = new Event("downloadprogress");
        target.dispatchEvent(Object.assign(event, { loaded, total: 1, lengthComputable: true }));
      };
      try {
        const { model, release } = await shared.acquire(signal, watch);
        const session = new LanguageModel({
          ...{ model, release, said: [], contextUsage: 0 },
          options: core,
        });
        try {
          if (said.length > 0) await session.#add(said, signal);
        } catch (error) {
          session.destroy();
          throw error;
        }
        return session;
      } catch (error) {
        throw exceptionOf(error, signal);
      }
    }

    readonly #made: Made;
    readonly #destruction = new AbortController();
    #last: Promise<unknown> = Promise.resolve();
    oncontextoverflow: ((event: Event) => void) | null = null;

    constructor(made?: Made) {
      super();
      if (!made) throw new TypeError("wanted LanguageModel.create(), found a constructor call");
      this.#made = made;
      this.addEventListener("contextoverflow", (event) => this.oncontextoverflow?.(event));
    }

    get contextUsage(): number {
      return this.#made.contextUsage;
    }

    get contextWindow(): number {
      return this.#made.model.info.context;
    }

    get topK(): number {
      return samplingOf(this.#made.options).topK ?? params.defaultTopK;
    }

    get temperature(): number {
      return samplingOf(this.#made.options).temperature ?? params.defaultTemperature;
    }

    async prompt(input: Prompt, options: PromptOptions = {}): Promise<string> {
      return this.#inTurn(input, options, async (said) => {
        const answer = this.#ask(said, options);
        return this.#keep(said, answer);
      });
    }

    promptStreaming(input: Prompt, options: PromptOptions = {}): ReadableStream<string> {
      let answer: AnswerStream | undefined;
      let isLeft = false;
      const stream = new ReadableStream<string>({
        start: (controller) => {
          const whole = this.#inTurn(input, options, async (said) => {
            if (isLeft) return;
            answer = this.#ask(said, options);
            const kept = this.#keep(said, answer);
            kept.catch(() => {}); // the loop fails with it, too
            for await (const piece of answer) if (!isLeft) controller.enqueue(piece);
            await kept;
          });
          whole.then(
            () => isLeft || controller.close(),
            (reason: unknown) => controller.error(reason),
          );
        },
        cancel() {
          isLeft = true;
          answer?.cancel();
        },
      });
      return loopable(stream);
    }

    async append(input: Prompt, options: SignalOptions = {}): Promise<void> {
      await this.#inTurn(input, options, (said) => this.#add(said, options.signal));
    }

    async measureContextUsage(input: Prompt, options: PromptOptions = {}): Promise<number> {
      return this.#inTurn(input, options, async (said) => {
        const tokens = await this.#tokensWith(said, options.signal);
        return tokens - this.#made.contextUsage;
      });
    }

    async clone({ signal }: SignalOptions = {}): Promise<LanguageModel> {
      this.#checkAlive();
      signal?.throwIfAborted();
      // What is being said belongs to it.
      await this.#last.catch(() => {});
      this.#checkAlive();
      const { said, contextUsage, options } = this.#made;
      const { model, release } = await shared.acquire(signal, () => {});
      return new LanguageModel({ model, release, options, contextUsage, said: [...said] });
    }

    destroy(): void {
      if (this.#destruction.signal.aborted) return;
      this.#destruction.abort(new DOMException("the session was destroyed", "AbortError"));
      this.#made.release();
    }

    #checkAlive(): void {
      if (this.#destruction.signal.aborted)
        throw new DOMException("the session was destroyed", "InvalidStateError");
    }

    // Runs `work` with the messages of `input` once all that was asked before has ended.
    async #inTurn<T>(
      input: Prompt,
      { signal, responseConstraint, omitResponseConstraintInput }: PromptOptions,
      work: (said: Said[]) => Promise<T>,
    ): Promise<T> {
      this.#checkAlive();
      signal?.throwIfAborted();
      if (omitResponseConstraintInput && !responseConstraint)
        throw new TypeError("wanted a responseConstraint with omitResponseConstraintInput");
      const reading = readPrompt(input, takesImages(this.#made.options), false);
      const before = this.#last;
      const run = async (): Promise<T> => {
        const said = await reading;
        await before.catch(() => {});
        this.#checkAlive();
        return work(said);
      };
      const result = run();
      this.#last = result;
      try {
        return await result;
      } catch (error) {
        if (asTinyVLMError(error).code === "context_full")
          this.dispatchEvent(new Event("contextoverflow"));
        const { signal: destroyed } = this.#destruction;
        throw exceptionOf(error, destroyed.aborted ? destroyed : signal);
      }
    }

    #ask(said: readonly Said[], { signal, responseConstraint }: PromptOptions, more = {}) {
      const options: AskOptions = {
        ...samplingOf(this.#made.options),
        responseFormat: responseConstraint && formatOf(responseConstraint),
        signal,
        abortSignal: this.#destruction.signal,
        ...more,
      };
      return askIn(this.#made.model, [...this.#made.said, ...said], options);
    }

    // Adds a question and its answer to the conversation when it is there.
    async #keep(said: readonly Said[], stream: AnswerStream): Promise<string> {
      const { text, usage } = await stream;
      this.#made.said.push(...said, { role: "assistant", text, images: [] });
      this.#made.contextUsage = usage.promptTokens + usage.completionTokens;
      return text;
    }

    async #add(said: readonly Said[], signal: AbortSignal | undefined): Promise<void> {
      this.#made.contextUsage = await this.#tokensWith(said, signal);
      this.#made.said.push(...said);
    }

    // Tokens of the conversation with `said` behind it. To count them is to compute them, which the
    // next prompt then need not do.
    async #tokensWith(said: readonly Said[], signal: AbortSignal | undefined): Promise<number> {
      if (said.length === 0) return this.#made.contextUsage;
      const last = [...this.#made.said, ...said].at(-1)!;
      // A question has to be the last message.
      const question: Said[] = last.role === "user" ? [] : [{ role: "user", text: "", images: [] }];
      const { usage } = await this.#ask([...said, ...question], { signal }, { maxTokens: 1 });
      return usage.promptTokens;
    }
  }
  return LanguageModel;
}

/**
 * Makes `promptApi(options)` the page's `LanguageModel`, where it has none or one that can answer
 * about no image here (many browsers have the API without a model). Resolves to whether it did.
 */
export async function installPromptApi(options: PromptApiOptions = {}): Promise<boolean> {
  const { LanguageModel } = globalThis as {
    LanguageModel?: Pick<LanguageModelClass, "availability">;
  };
  const available = await LanguageModel?.availability({
    expectedInputs: [{ type: "image" }],
  }).catch(() => undefined);
  if (available !== undefined && available !== "unavailable") return false;
  Object.defineProperty(globalThis, "LanguageModel", {
    value: promptApi(options),
    configurable: true,
    writable: true,
  });
  return true;
}

// Why no session can be made with these options; undefined where one can.
function whyNot({ expectedInputs = [], expectedOutputs = [], tools = [] }: CreateCoreOptions) {
  const input = expectedInputs.find(({ type }) => type !== "text" && type !== "image");
  if (input) return `input of type ${input.type} is not supported`;
  const output = expectedOutputs.find(({ type }) => type !== "text");
  if (output) return `output of type ${output.type} is not supported`;
  return tools.length > 0 ? "the model calls no tools" : undefined;
}

// The stream as `for await` takes it, which WebKit's own streams are not.
function loopable<Piece>(stream: ReadableStream<Piece>): ReadableStream<Piece> {
  if (Symbol.asyncIterator in stream) return stream;
  return Object.defineProperty(stream as ReadableStream<Piece>, Symbol.asyncIterator, {
    async *value() {
      const reader = (stream as ReadableStream<Piece>).getReader();
      try {
        for (let step; !(step = await reader.read()).done;) yield step.value;
      } finally {
        await reader.cancel();
        reader.releaseLock();
      }
    },
  });
}

const takesImages = ({ expectedInputs = [] }: CreateCoreOptions) =>
  expectedInputs.some(({ type }) => type === "image");

function samplingOf({ topK, temperature, samplingMode = "default" }: CreateCoreOptions) {
  const mode = temperatures.get(samplingMode);
  if (mode === undefined)
    throw new TypeError(
      `wanted one of ${[...temperatures.keys()].join(", ")} for samplingMode, found ` +
        String(samplingMode),
    );
  const inRange = (name: string, value: number | undefined, min: number, max: number) => {
    if (value === undefined) return undefined;
    if (!(value >= min)) throw new RangeError(`wanted ${min} or more for ${name}, found ${value}`);
    return Math.min(value, max);
  };
  const k = inRange("topK", topK, 1, params.maxTopK);
  return {
    ...(k === undefined ? {} : { topK: Math.floor(k) }),
    temperature: inRange("temperature", temperature, 0, params.maxTemperature) ?? mode,
  };
}

function formatOf(constraint: object): ResponseFormat {
  return constraint instanceof RegExp ? { pattern: constraint.source } : { schema: constraint };
}
