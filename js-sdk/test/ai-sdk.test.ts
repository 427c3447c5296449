// tiny-vlm/ai-sdk with a model that tells what it was asked. tests-adapters/ai-sdk.test.mjs has the
// AI SDK itself.

import assert from "node:assert/strict";
import { test } from "node:test";
import { tinyVLM, type CallOptions, type LanguageModelOptions } from "../src/adapters/ai-sdk.js";
import { TinyVLMError } from "../src/node.js";
import { fakeModel, type Script } from "./fake-model.js";

const says = (): Script => ({ pieces: ["A ", "pear."] });
const prompt: CallOptions["prompt"] = [{ role: "user", content: [{ type: "text", text: "Hi" }] }];

async function ask(call: Partial<CallOptions>, options: LanguageModelOptions = {}) {
  const { model, asked } = fakeModel(says);
  const result = await tinyVLM(model, { ...options, specification: "v3" }).doGenerate({
    prompt,
    ...call,
  });
  assert.equal(asked.length, 1);
  assert(asked[0]!.disposed);
  return { result, asked: asked[0]! };
}

test("settings become options; those of providerOptions and defaults stand behind", async () => {
  const signal = AbortSignal.timeout(10_000);
  const { asked, result } = await ask(
    {
      ...{ maxOutputTokens: 9, temperature: 0.5, topP: 0.9, topK: 5, seed: 1 },
      ...{ presencePenalty: 1, frequencyPenalty: -1, stopSequences: ["a"], abortSignal: signal },
      responseFormat: { type: "json", schema: { type: "object" } },
      providerOptions: { "tiny-vlm": { minP: 0.1, seed: 7 }, other: { minP: 2 } },
      reasoning: "high",
    },
    { defaults: { repetitionPenalty: 1.1, maxTokens: 3 } },
  );
  assert.deepEqual(asked.options, {
    ...{ maxTokens: 9, temperature: 0.5, topP: 0.9, topK: 5, seed: 1, stop: ["a"], signal },
    ...{ presencePenalty: 1, frequencyPenalty: -1, minP: 0.1, repetitionPenalty: 1.1 },
    responseFormat: { schema: { type: "object" } },
  });
  assert.deepEqual(
    result.warnings.map(({ feature }) => feature),
    ["reasoning"],
  );
  const bare = (await ask({ stopSequences: [], responseFormat: { type: "text" } })).asked.options;
  assert.deepEqual(bare, { maxTokens: 64 });
  const json = (await ask({ responseFormat: { type: "json" } })).asked.options.responseFormat;
  assert.deepEqual(json, { schema: { type: "object" } });
  assert.equal(typeof (await ask({ temperature: 1 })).asked.options.seed, "number");
});

test("prompts become conversations", async () => {
  const bytes = Uint8Array.of(1, 2, 3);
  const file = (data: object | string, mediaType = "image/*") => ({
    type: "file",
    data,
    mediaType,
  });
  const address = new URL("https://example.com/a.png");
  const { asked } = await ask({
    prompt: [
      { role: "system", content: "Brief." },
      { role: "user", content: [file(bytes), { type: "text", text: "a" }, file("AQID", "image")] },
      {
        role: "assistant",
        content: [
          { type: "reasoning", text: "hm" },
          { type: "text", text: "b" },
        ],
      },
      {
        role: "user",
        content: [
          { type: "text", text: "c" },
          file("data:image/png;base64,AQID", "image/png"),
          file(address),
          file(address.href),
          { type: "text", text: "d" },
        ],
      },
    ],
  });
  assert.deepEqual(asked.messages, [
    { role: "user", content: "a", images: [bytes, bytes] },
    { role: "assistant", content: "b", images: [] },
  ]);
  assert.deepEqual(
    [asked.system, asked.question, asked.images],
    ["Brief.", "c\nd", [bytes, address, address.href]],
  );
});

test("what is not supported says so in the AI SDK's way", async () => {
  const user = (part: object): Partial<CallOptions> => {
    return { prompt: [{ role: "user", content: [part as { type: string }] }] };
  };
  const cases: [Partial<CallOptions>, RegExp][] = [
    [{ tools: [{}] }, /'tools' functionality not supported: this model calls no tools/],
    [{ tools: [{}], toolChoice: { type: "required" } }, /'tools'/],
    [user({ type: "file", data: "", mediaType: "audio/wav" }), /files of type audio\/wav/],
    [user({ type: "file", data: { type: "reference" }, mediaType: "image/png" }), /by a provider/],
    [user({ type: "custom" }), /parts of type custom/],
    [{ prompt: [{ role: "tool", content: [] }] }, /results of tools/],
    [
      {
        prompt: [
          { role: "assistant", content: [{ type: "file", data: "", mediaType: "image/png" }] },
        ],
      },
      /in messages of the assistant/,
    ],
  ];
  for (const [call, message] of cases)
    await assert.rejects(ask(call), (error: Error & Record<symbol, unknown>) => {
      assert.match(error.message, message);
      return (
        error.name === "AI_UnsupportedFunctionalityError" &&
        error[Symbol.for("vercel.ai.error.AI_UnsupportedFunctionalityError")] === true
      );
    });
  assert.equal((await ask({ tools: [{}], toolChoice: { type: "none" } })).asked.question, "Hi");
  await assert.rejects(
    ask(user({ type: "file", data: "$$", mediaType: "image/png" })),
    /wanted base64/,
  );
});

test("answers are told whole and in parts, in both specifications", async () => {
  const { model } = fakeModel(says);
  const whole = await tinyVLM(model).doGenerate({ prompt });
  assert.deepEqual(whole.content, [{ type: "text", text: "A pear." }]);
  assert.deepEqual(whole.finishReason, { unified: "stop", raw: "stop" });
  const { raw, ...usage } = whole.usage;
  assert.deepEqual(usage, {
    inputTokens: { total: 20, noCache: 15, cacheRead: 5, cacheWrite: undefined },
    outputTokens: { total: 3, text: 3, reasoning: undefined },
  });
  assert.equal(raw["reusedTokens"], 5);
  const old = tinyVLM(model, { specification: "v2" });
  assert.deepEqual(
    [old.specificationVersion, old.provider, old.modelId, old.supportedUrls],
    ["v2", "tiny-vlm", "fake", {}],
  );
  const { stream } = await old.doStream({ prompt, reasoning: "low" });
  const parts = [];
  for await (const part of stream) parts.push(part);
  assert.deepEqual(
    parts.map(({ type }) => type),
    [
      ...["stream-start", "response-metadata", "text-start", "text-delta", "text-delta"],
      ...["text-end", "finish"],
    ],
  );
  assert.deepEqual(parts[0], {
    type: "stream-start",
    warnings: [
      {
        ...{ type: "unsupported-setting", setting: "reasoning" },
        details: "this model answers without reasoning",
      },
    ],
  });
  const last = parts.at(-1)!;
  assert(last.type === "finish");
  assert.deepEqual(
    [last.finishReason, last.usage],
    ["stop", { inputTokens: 20, outputTokens: 3, totalTokens: 23, cachedInputTokens: 5 }],
  );
});

test("errors before the first word, after it, and an abort", async () => {
  const dead = new TinyVLMError("worker", "the worker died");
  async function* fails(after: number) {
    for (let count = 0; count < after; count++) yield "on ";
    throw dead;
  }
  const failing = (after: number) => tinyVLM(fakeModel(() => ({ pieces: fails(after) })).model);
  await assert.rejects(failing(0).doStream({ prompt }).then(), dead);
  const { stream } = await failing(1).doStream({ prompt });
  const parts = [];
  for await (const part of stream) parts.push(part);
  assert.deepEqual(parts.at(-1), { type: "error", error: dead });

  async function* endless() {
    for (;;) {
      await new Promise(setImmediate);
      yield "on ";
    }
  }
  const { model, asked } = fakeModel(() => ({ pieces: endless() }));
  const controller = new AbortController();
  const call = { prompt, abortSignal: controller.signal };
  const aborted = await tinyVLM(model).doStream(call);
  controller.abort();
  await assert.rejects(
    async () => {
      for await (const _ of aborted.stream);
    },
    { name: "AbortError" },
  );
  const left = await tinyVLM(model).doStream({ prompt });
  for await (const { type } of left.stream) if (type === "text-delta") break;
  await new Promise(setImmediate);
  assert.deepEqual([asked[1]!.cancelled, asked[1]!.disposed], [true, true]);
});
