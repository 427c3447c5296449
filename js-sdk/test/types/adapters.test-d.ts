// The adapters and the small entries: what calls give, and calls that must not compile.

import { tinyVLM } from "../../src/adapters/ai-sdk.js";
import type * as ai from "../../src/adapters/ai-sdk.js";
import { openaiFetch, openaiHandler } from "../../src/adapters/openai.js";
import { installPromptApi, promptApi } from "../../src/adapters/prompt-api.js";
import type * as prompt from "../../src/adapters/prompt-api.js";
import { useTinyVLM } from "../../src/adapters/react.js";
import type * as react from "../../src/adapters/react.js";
import { demoModel } from "../../src/demo-model.js";
import type { Answer, LoadProgress, TinyVLM, TinyVLMError, Variant } from "../../src/index.js";
import { support, type Support } from "../../src/support.js";
import type { Equal, Expect, Result } from "./equal.js";

type Finish<Part> = Extract<Part, { type: "finish" }>;
type V3Part =
  Result<ai.TinyVLMLanguageModel["doStream"]>["stream"] extends ReadableStream<infer Part>
    ? Part
    : never;

export type Results = [
  // tiny-vlm/openai
  Expect<Equal<ReturnType<typeof openaiFetch>, typeof fetch>>,
  Expect<Equal<ReturnType<typeof openaiHandler>, (request: Request) => Promise<Response>>>,
  // tiny-vlm/ai-sdk
  Expect<Equal<ai.TinyVLMLanguageModel["specificationVersion"], "v3">>,
  Expect<Equal<ai.TinyVLMLanguageModelV2["specificationVersion"], "v2">>,
  Expect<Equal<Result<ai.TinyVLMLanguageModel["doGenerate"]>["content"], ai.TextContent[]>>,
  Expect<Equal<Result<ai.TinyVLMLanguageModel["doGenerate"]>["warnings"], ai.Warning[]>>,
  Expect<Equal<Result<ai.TinyVLMLanguageModelV2["doGenerate"]>["warnings"], ai.WarningV2[]>>,
  Expect<Equal<Finish<V3Part>["finishReason"]["unified"], "stop" | "length" | "other">>,
  Expect<Equal<ai.ProviderMetadata, Record<string, Record<string, ai.JsonValue>>>>,
  // tiny-vlm/react
  Expect<Equal<ReturnType<typeof useTinyVLM>, react.UseTinyVLM>>,
  Expect<Equal<react.UseTinyVLM["status"], "idle" | "loading" | "ready" | "failed">>,
  Expect<Equal<react.UseTinyVLM["progress"], LoadProgress | undefined>>,
  Expect<Equal<react.UseTinyVLM["error"], TinyVLMError | undefined>>,
  Expect<Equal<react.UseTinyVLM["answer"], Answer | undefined>>,
  Expect<Equal<Result<react.UseTinyVLM["ask"]>, Answer | undefined>>,
  // tiny-vlm/prompt-api
  Expect<Equal<ReturnType<typeof promptApi>, prompt.LanguageModelClass>>,
  Expect<Equal<Result<typeof installPromptApi>, boolean>>,
  Expect<Equal<Result<prompt.LanguageModelClass["create"]>, prompt.LanguageModelSession>>,
  Expect<Equal<Result<prompt.LanguageModelClass["availability"]>, prompt.Availability>>,
  Expect<Equal<Result<prompt.LanguageModelSession["prompt"]>, string>>,
  Expect<Equal<ReturnType<prompt.LanguageModelSession["promptStreaming"]>, ReadableStream<string>>>,
  Expect<Equal<Result<prompt.LanguageModelSession["measureContextUsage"]>, number>>,
  // tiny-vlm/support, tiny-vlm/demo-model
  Expect<Equal<ReturnType<typeof support>, Support>>,
  Expect<Equal<Support["variant"], Variant | undefined>>,
  Expect<Equal<Support["missing"], string[]>>,
  Expect<Equal<typeof demoModel, string>>,
];

export async function wrongOpenAI(vlm: TinyVLM): Promise<void> {
  // @ts-expect-error a loaded model is needed
  openaiFetch();
  // @ts-expect-error a loaded model, not its promise
  openaiFetch(Promise.resolve(vlm));
  // @ts-expect-error not an option
  openaiFetch(vlm, { model: "tiny-vlm" });
  // @ts-expect-error a list
  openaiFetch(vlm, { models: "tiny-vlm" });
  // @ts-expect-error not an option of questions
  openaiFetch(vlm, { defaults: { max_tokens: 5 } });
  // @ts-expect-error it is asked about a URL
  openaiHandler(vlm, { fetchImages: (url: number) => url > 0 });
  // @ts-expect-error origins
  openaiHandler(vlm, { cors: [new URL("https://example.com")] });
  // @ts-expect-error a request
  await openaiHandler(vlm)("https://example.com");
  // What it takes.
  openaiHandler(vlm, {
    models: ["a"],
    cors: true,
    fetchImages: (url) => url.protocol === "https:",
  });
}

export async function wrongAI(vlm: TinyVLM): Promise<void> {
  // @ts-expect-error a loaded model is needed
  tinyVLM();
  // @ts-expect-error not a specification
  tinyVLM(vlm, { specification: "v1" });
  // @ts-expect-error not an option
  tinyVLM(vlm, { maxTokens: 5 });
  // @ts-expect-error not an option of questions
  tinyVLM(vlm, { defaults: { maxOutputTokens: 5 } });
  const model = tinyVLM(vlm);
  model satisfies ai.TinyVLMLanguageModel;
  tinyVLM(vlm, { specification: "v2" }) satisfies ai.TinyVLMLanguageModelV2;
  // @ts-expect-error the other specification
  tinyVLM(vlm, { specification: "v2" }) satisfies ai.TinyVLMLanguageModel;
  // @ts-expect-error a prompt is needed
  await model.doGenerate({});
  // @ts-expect-error messages
  await model.doGenerate({ prompt: "Hello" });
  // @ts-expect-error not a role
  await model.doGenerate({ prompt: [{ role: "model", content: "Hello" }] });
  // @ts-expect-error parts have a type
  await model.doStream({ prompt: [{ role: "user", content: [{ text: "Hello" }] }] });
  // @ts-expect-error a number
  await model.doStream({ prompt: [], temperature: "0" });
  // @ts-expect-error not a format
  await model.doStream({ prompt: [], responseFormat: { type: "xml" } });
  const { providerMetadata } = await model.doGenerate({ prompt: [] });
  // @ts-expect-error metadata is JSON
  providerMetadata["tiny-vlm"] = { threads: undefined };
}

export async function wrongHook(): Promise<void> {
  // @ts-expect-error not a source
  useTinyVLM(42);
  // @ts-expect-error not an option
  useTinyVLM("/model.gguf", { enable: true });
  // @ts-expect-error the hook has a signal of its own
  useTinyVLM("/model.gguf", { signal: AbortSignal.timeout(1) });
  // @ts-expect-error a boolean
  useTinyVLM("/model.gguf", { enabled: "yes" });
  const hook = useTinyVLM("/model.gguf", { enabled: false, threads: 2 });
  // @ts-expect-error a question is needed
  await hook.ask(null);
  // @ts-expect-error not an image
  await hook.ask(42, "What is this?");
  // @ts-expect-error not an option
  await hook.ask(null, "Hello", { maxtokens: 5 });
  // @ts-expect-error one of three keys
  await hook.ask(null, "Hello", { responseFormat: {} });
  // @ts-expect-error takes nothing
  hook.stop(true);
  // @ts-expect-error read only
  hook.status = "ready";
}

export async function wrongPrompts(session: prompt.LanguageModelSession): Promise<void> {
  // @ts-expect-error not an option
  await installPromptApi({ model: "/model.gguf" });
  // @ts-expect-error the source is an option
  promptApi("/model.gguf");
  // @ts-expect-error sessions have signals of their own
  promptApi({ signal: AbortSignal.timeout(1) });
  const LanguageModel = promptApi({ source: "/model.gguf", threads: 1 });
  // @ts-expect-error made by create only
  new LanguageModel();
  // @ts-expect-error a number
  await LanguageModel.create({ temperature: "1" });
  // @ts-expect-error not a mode
  await LanguageModel.create({ samplingMode: "wild" });
  // @ts-expect-error not a role
  await LanguageModel.create({ initialPrompts: [{ role: "model", content: "Hello" }] });
  // @ts-expect-error what is expected has a type
  await LanguageModel.availability({ expectedInputs: [{ languages: ["en"] }] });
  // @ts-expect-error a prompt is needed
  await session.prompt();
  // @ts-expect-error a text or messages
  await session.prompt({ role: "user", content: "Hello" });
  // @ts-expect-error contents have a value
  await session.prompt([{ role: "user", content: [{ type: "text", text: "Hello" }] }]);
  // @ts-expect-error an object
  await session.prompt("Hello", { responseConstraint: "json" });
  // @ts-expect-error not an option
  session.promptStreaming("Hello", { maxTokens: 5 });
  // @ts-expect-error takes no constraint
  await session.append("Hello", { responseConstraint: {} });
  // @ts-expect-error read only
  session.contextUsage = 0;
}

export function wrongSupport(): void {
  // @ts-expect-error takes nothing
  support("simd");
  // @ts-expect-error not a field
  void support().backend;
  // @ts-expect-error an address, not a function
  demoModel();
}
