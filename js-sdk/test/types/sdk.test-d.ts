// `tiny-vlm` for browsers and for Node: what calls give, and calls that must not compile.

import type * as browser from "../../src/index.js";
import { TinyVLM, TinyVLMError } from "../../src/index.js";
import type * as node from "../../src/node.js";
import { TinyVLM as NodeTinyVLM } from "../../src/node.js";
import type { Equal, Expect, Result } from "./equal.js";

type Ask = TinyVLM["ask"];
type Load = (typeof TinyVLM)["load"];

export type Results = [
  Expect<Equal<Result<Load>, TinyVLM>>,
  Expect<Equal<Result<(typeof NodeTinyVLM)["load"]>, NodeTinyVLM>>,
  Expect<Equal<Result<(typeof TinyVLM)["inspect"]>, browser.ModelInspection>>,
  Expect<Equal<Parameters<Load>[0], browser.ModelSource | undefined>>,
  Expect<Equal<Parameters<Load>[1], browser.LoadOptions | undefined>>,
  Expect<Equal<ReturnType<Ask>, browser.AnswerStream>>,
  Expect<Equal<Result<Ask>, browser.Answer>>,
  Expect<Equal<ReturnType<TinyVLM["chat"]>, browser.Chat>>,
  Expect<Equal<Result<browser.Chat["ask"]>, browser.Answer>>,
  Expect<Equal<Result<TinyVLM["memoryBytes"]>, number>>,
  Expect<Equal<Result<TinyVLM["dispose"]>, void>>,
  Expect<Equal<TinyVLM["whenReady"], Promise<void>>>,
  Expect<Equal<TinyVLM["info"], browser.ModelInfo>>,
  Expect<Equal<TinyVLM["variant"], browser.Variant>>,
  Expect<Equal<(typeof TinyVLM)["cache"], browser.ModelCache>>,
  Expect<Equal<Result<browser.ModelCache["list"]>, browser.CachedModel[]>>,
  Expect<Equal<Result<browser.ModelCache["delete"]>, boolean>>,
  Expect<Equal<Result<browser.ModelCache["estimate"]>, browser.CacheEstimate>>,
  Expect<Equal<Result<browser.ModelCache["persist"]>, boolean>>,
  Expect<Equal<browser.ModelCache["folder"], string | undefined>>,
];

export type Fields = [
  Expect<Equal<browser.FinishReason, "stop" | "length" | "cancelled">>,
  Expect<Equal<browser.Variant, "relaxed-mt" | "simd-mt" | "relaxed" | "simd" | "scalar">>,
  Expect<Equal<browser.ChatStyle, "qwen_2" | "v1" | "plain">>,
  Expect<Equal<browser.Answer["text"], string>>,
  Expect<Equal<browser.Answer["finishReason"], browser.FinishReason>>,
  Expect<Equal<browser.Answer["warnings"], string[]>>,
  Expect<Equal<browser.Answer["logprobs"], browser.TokenLogprob[] | undefined>>,
  Expect<Equal<browser.TokenLogprob["top"], browser.Logprob[]>>,
  Expect<Equal<browser.Usage[keyof browser.Usage], number>>,
  Expect<Equal<browser.Timings[keyof browser.Timings], number>>,
  Expect<Equal<browser.ChatMessage["role"], "system" | "user" | "assistant">>,
  Expect<Equal<browser.PastMessage["role"], "user" | "assistant">>,
  Expect<Equal<browser.LoadProgress["phase"], "engine" | "weights" | "ready">>,
  Expect<Equal<browser.LoadProgress["secondsLeft"], number | undefined>>,
  Expect<Equal<browser.CachedModel["lastUsed"], Date>>,
  Expect<
    Equal<
      browser.ResponseFormat,
      { schema: object | boolean } | { choices: readonly string[] } | { pattern: string }
    >
  >,
  Expect<
    Equal<
      TinyVLMError["code"],
      | "invalid_argument"
      | "not_found"
      | "invalid_file"
      | "unsupported"
      | "out_of_memory"
      | "invalid_image"
      | "context_full"
      | "io"
      | "not_ready"
      | "internal"
      | "network"
      | "http"
      | "aborted"
      | "worker"
    >
  >,
  Expect<Equal<TinyVLMError["status"], number | undefined>>,
  Expect<Equal<TinyVLMError["exitCode"], number>>,
  // An option may be given as undefined, too.
  Expect<Equal<Required<browser.AskOptions>["maxTokens"], number | undefined>>,
  Expect<Equal<Required<browser.LoadOptions>["resize"], "pad" | "crop" | undefined>>,
];

// Both entries have the same names, and all but the class mean the same.
export type Entries = [
  Expect<Equal<keyof typeof browser, keyof typeof node>>,
  Expect<Equal<browser.AskOptions, node.AskOptions>>,
  Expect<Equal<browser.LoadOptions, node.LoadOptions>>,
  Expect<Equal<browser.Answer, node.Answer>>,
  Expect<Equal<browser.ModelSource, node.ModelSource>>,
  Expect<Equal<browser.ImageInput, node.ImageInput>>,
];

export async function wrongSources(): Promise<void> {
  // @ts-expect-error not a source
  await TinyVLM.load(42);
  // @ts-expect-error no source is undefined
  await TinyVLM.load(null);
  // @ts-expect-error parts are addresses
  await TinyVLM.load({ parts: [1] });
  // @ts-expect-error a list of one kind
  await TinyVLM.load(["a.gguf", new Blob()]);
  // @ts-expect-error not a source
  await TinyVLM.inspect(false);
  // @ts-expect-error made by load only
  new TinyVLM();
  // @ts-expect-error made by load only
  new NodeTinyVLM({});
}

export async function wrongLoadOptions(): Promise<void> {
  // @ts-expect-error not an option
  await TinyVLM.load(undefined, { image_size: 64 });
  // @ts-expect-error options follow the source
  await TinyVLM.load({ threads: 2 });
  // @ts-expect-error a number
  await TinyVLM.load(undefined, { threads: "2" });
  // @ts-expect-error not a way to resize
  await TinyVLM.load(undefined, { resize: "fit" });
  // @ts-expect-error not a variant
  await TinyVLM.load(undefined, { variant: "fast" });
  // @ts-expect-error not a chat style
  await TinyVLM.load(undefined, { chatStyle: "llama" });
  // @ts-expect-error not a way to compute
  await TinyVLM.load(undefined, { compute: "f16" });
  // @ts-expect-error not a type of weights
  await TinyVLM.load(undefined, { type: "q3_0" });
  // @ts-expect-error a signal, not its controller
  await TinyVLM.load(undefined, { signal: new AbortController() });
  // @ts-expect-error not an option of the cache
  await TinyVLM.load(undefined, { cache: { maxbytes: 1 } });
  // @ts-expect-error a record
  await TinyVLM.load(undefined, { headers: new Headers() });
  // @ts-expect-error not a variant
  await TinyVLM.load(undefined, { wasmUrl: { mt: "a.wasm" } });
  // @ts-expect-error not a field
  await TinyVLM.load(undefined, { onProgress: ({ percent }) => percent });
  // @ts-expect-error a function
  await NodeTinyVLM.load(undefined, { onWarning: true });
}

export async function wrongQuestions(vlm: TinyVLM, canvas: HTMLCanvasElement): Promise<void> {
  // @ts-expect-error a question is needed
  vlm.ask(canvas);
  // @ts-expect-error an image or null is needed
  vlm.ask();
  // @ts-expect-error not an image
  vlm.ask(42, "What is this?");
  // @ts-expect-error no image is null
  vlm.ask(undefined, "What is this?");
  // @ts-expect-error an image lacks its height
  vlm.ask({ data: new Uint8Array(3), width: 1 }, "What is this?");
  // @ts-expect-error not an image
  vlm.ask([canvas, {}], "What is this?");
  // @ts-expect-error the question is a text
  vlm.ask(canvas, ["What is this?"]);
  // @ts-expect-error not an option
  vlm.ask(null, "Hello", { maxtokens: 5 });
  // @ts-expect-error a number
  vlm.ask(null, "Hello", { maxTokens: "5" });
  // @ts-expect-error texts
  vlm.ask(null, "Hello", { stop: [1] });
  // @ts-expect-error a number
  vlm.ask(null, "Hello", { seed: 1n });
  // @ts-expect-error a boolean
  vlm.ask(null, "Hello", { strict: "yes" });
  // @ts-expect-error an answer has no text before it has ended
  void vlm.ask(null, "Hello").text;
  // @ts-expect-error pieces are texts
  for await (const piece of vlm.ask(null, "Hello")) piece satisfies number;
}

export async function wrongFormats(vlm: TinyVLM): Promise<void> {
  // @ts-expect-error one of three keys
  await vlm.ask(null, "When?", { responseFormat: {} });
  // @ts-expect-error a schema is an object or a boolean
  await vlm.ask(null, "When?", { responseFormat: { schema: '{"type":"string"}' } });
  // @ts-expect-error a list
  await vlm.ask(null, "When?", { responseFormat: { choices: "a" } });
  // @ts-expect-error texts
  await vlm.ask(null, "When?", { responseFormat: { choices: [1, 2] } });
  // @ts-expect-error a text
  await vlm.ask(null, "When?", { responseFormat: { pattern: /\d+/ } });
  // @ts-expect-error of other libraries
  await vlm.ask(null, "When?", { responseFormat: { type: "json_object" } });
  // @ts-expect-error an object
  await vlm.ask(null, "When?", { responseFormat: "json" });
}

export async function wrongEmbeddings(vlm: TinyVLM, canvas: HTMLCanvasElement): Promise<void> {
  // @ts-expect-error an image is needed
  await vlm.embed();
  // @ts-expect-error one image a call
  await vlm.embed([canvas]);
  // @ts-expect-error nothing is generated
  await vlm.embed(canvas, { maxTokens: 5 });
  // @ts-expect-error a boolean
  await vlm.embed(canvas, { rows: 1 });
}

export async function wrongChats(vlm: TinyVLM, chat: browser.Chat): Promise<void> {
  // @ts-expect-error not an option
  vlm.chat({ sytem: "" });
  // @ts-expect-error the system's text is an option
  vlm.chat({ messages: [{ role: "system", content: "Be brief." }] });
  // @ts-expect-error a message has a role
  vlm.chat({ messages: [{ content: "Hello" }] });
  // @ts-expect-error a message has a content
  vlm.chat({ messages: [{ role: "user" }] });
  // @ts-expect-error the content is a text
  vlm.chat({ messages: [{ role: "user", content: [{ type: "text", text: "Hello" }] }] });
  // @ts-expect-error not an image
  vlm.chat({ messages: [{ role: "user", content: "Hello", images: [1] }] });
  // @ts-expect-error a question is needed
  chat.ask();
  // @ts-expect-error options follow the question
  chat.ask({ maxTokens: 5 });
  // @ts-expect-error not an image
  chat.ask(7, "What is this?");
  // @ts-expect-error not an option
  chat.ask("Hello", { max_tokens: 5 });
  // @ts-expect-error read only
  chat.messages = [];
  // @ts-expect-error a source
  await TinyVLM.cache.delete(1);
  // @ts-expect-error a source is needed
  await TinyVLM.cache.delete();
  // @ts-expect-error not a code
  new TinyVLMError("teapot", "short and stout");
  // @ts-expect-error read only
  new TinyVLMError("http", "").code = "io";
}
