// tiny-vlm/ai-sdk with the AI SDK in three majors, in Node and on a page.
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { before, describe, test } from "node:test";
import { pathToFileURL } from "node:url";
import { build } from "esbuild";
import { tinyVLM } from "tiny-vlm/ai-sdk";
import { samples, vlm } from "./loaded.mjs";
import { sample } from "./samples.mjs";

globalThis.AI_SDK_LOG_WARNINGS = false;

const root = process.cwd();
const [first, second] = [sample(0), sample(1)];

const user = (...content) => ({ role: "user", content });
const text = (of) => ({ type: "text", text: of });

for (const major of [5, 6, 7]) {
  describe(`ai ${major}`, () => {
    let ai;
    let model;
    before(async () => {
      ai = await import(`ai${major}`);
      model = tinyVLM(vlm, major === 5 ? { specification: "v2" } : {});
    });
    // Its own download refuses addresses of this machine.
    const download = {
      experimental_download: async (assets) =>
        Promise.all(
          assets.map(async ({ url }) => {
            const response = await fetch(url);
            return {
              data: new Uint8Array(await response.arrayBuffer()),
              mediaType: response.headers.get("content-type"),
            };
          }),
        ),
    };

    test("generateText answers about images in every form", async () => {
      const { bytes, base64, url } = first;
      const address = new URL(samples.url(first.image));
      for (const part of [
        { type: "image", image: new Uint8Array(bytes) },
        { type: "image", image: bytes },
        { type: "image", image: base64 },
        { type: "image", image: url },
        { type: "image", image: address },
        { type: "image", image: address.href },
        { type: "file", data: bytes, mediaType: "image/png" },
        { type: "file", data: bytes, mediaType: "image/*" },
        { type: "file", data: base64, mediaType: "image/jpeg" },
        { type: "file", data: address, mediaType: "image/*" },
        ...(major === 7 ? [{ type: "file", data: bytes, mediaType: "image" }] : []),
      ]) {
        const messages = [user(text(first.question), part)];
        const result = await ai.generateText({ model, messages, ...download });
        assert.equal(result.text, first.answer, JSON.stringify(part).slice(0, 80));
        assert.equal(result.finishReason, "stop");
        assert(result.usage.inputTokens > vlm.info.imageTokens && result.usage.outputTokens > 0);
        assert.equal(result.providerMetadata["tiny-vlm"].variant, vlm.variant);
      }
    });

    test("streamText streams, with history, images and a system prompt", async () => {
      const messages = [
        user(text(first.question), { type: "image", image: first.bytes }),
        { role: "assistant", content: first.answer },
        user({ type: "image", image: second.bytes }, text(second.question)),
      ];
      const chat = vlm.chat({
        system: "Be brief.",
        messages: [
          { role: "user", content: first.question, images: [first.bytes] },
          { role: "assistant", content: first.answer },
        ],
      });
      const same = await chat.ask(second.bytes, second.question);
      const result = ai.streamText({
        model,
        messages,
        ...(major === 7 ? { instructions: "Be brief." } : { system: "Be brief." }),
      });
      const pieces = [];
      for await (const piece of result.textStream) pieces.push(piece);
      assert.equal(pieces.join(""), same.text);
      assert.equal((await result.usage).inputTokens, same.usage.promptTokens);
      assert.equal(await result.finishReason, "stop");
      chat.dispose();
    });

    test("settings, and what is told of them", async () => {
      const prompt = [user(text(first.question), { type: "image", image: first.bytes })];
      const ask = (options) => ai.generateText({ model, messages: prompt, ...options });
      const cut = await ask({ maxOutputTokens: 1 });
      assert.deepEqual([cut.finishReason, cut.usage.outputTokens], ["length", 1]);
      const word = first.answer.split(" ")[1];
      assert.equal((await ask({ stopSequences: [word] })).text.trim(), first.answer.split(" ")[0]);
      const drawn = { temperature: 1.5, topP: 0.99, topK: 500, maxOutputTokens: 10, seed: 3 };
      assert.equal((await ask(drawn)).text, (await ask(drawn)).text);
      const penalties = { presencePenalty: 1, frequencyPenalty: 1 };
      const more = { providerOptions: { "tiny-vlm": { noRepeatNgram: 2, exactPreprocess: true } } };
      const fine = await ask({ ...penalties, ...more });
      assert.deepEqual(fine.warnings ?? [], []);
      await assert.rejects(
        ask({ providerOptions: { "tiny-vlm": { colour: 1 } }, maxRetries: 0 }),
        /unknown option colour/,
      );
    });

    test("what the model cannot do is an UnsupportedFunctionalityError", async () => {
      const isUnsupported = (error) => ai.UnsupportedFunctionalityError.isInstance(error);
      // Of the bytes of an image ai 7 would say so.
      const data = new TextEncoder().encode("%PDF-1.7 ");
      const pdf = { type: "file", data, mediaType: "application/pdf" };
      await assert.rejects(
        ai.generateText({ model, messages: [user(text("Hi"), pdf)] }),
        isUnsupported,
      );
      const weather = ai.tool({
        inputSchema: ai.jsonSchema({ type: "object", properties: {} }),
        execute: async () => "",
      });
      await assert.rejects(
        ai.generateText({ model, prompt: "Hi", tools: { weather } }),
        isUnsupported,
      );
      const none = { tools: { weather }, toolChoice: "none" };
      assert((await ai.generateText({ model, prompt: "Hi", ...none })).text.length > 0);
    });

    test("abort, before and in mid-stream", async () => {
      await assert.rejects(
        ai.generateText({ model, prompt: "Hi", abortSignal: AbortSignal.abort() }),
        { name: "AbortError" },
      );
      const controller = new AbortController();
      const result = ai.streamText({
        model,
        prompt: "Hi",
        ...{ temperature: 50, seed: 1 }, // 1644 tokens, where nobody ends it
        abortSignal: controller.signal,
      });
      let count = 0;
      const kinds = [];
      for await (const { type } of result.fullStream) {
        kinds.push(type);
        if (type === "text-delta" && ++count === 3) controller.abort();
      }
      assert.equal(kinds.at(-1), "abort", kinds.join(" "));
      assert(count < 200, `${count} pieces came after the abort`);
      const { text: next } = await ai.generateText({
        model,
        messages: [user(text(first.question), { type: "image", image: first.bytes })],
      });
      assert.equal(next, first.answer);
    });

    test("an error reaches generateText, and the stream of streamText", async () => {
      const messages = [user(text("word ".repeat(9000)))];
      await assert.rejects(ai.generateText({ model, messages }), { code: "context_full" });
      const errors = [];
      const onError = ({ error }) => void errors.push(error.code);
      const result = ai.streamText({ model, messages, onError });
      await result.consumeStream({ onError: () => {} });
      assert.deepEqual(errors, ["context_full"]);
    });
  });
}

describe("structured output", () => {
  // What the engine would answer is the business of its own tests: here a model says it.
  const says = (json) => {
    const asked = [];
    const fake = {
      info: vlm.info,
      variant: vlm.variant,
      chat: () => ({
        ask(images, question, { responseFormat }) {
          asked.push(responseFormat);
          const answer = vlm.ask(null, "Hi", { maxTokens: 1 });
          const whole = answer.then((one) => ({ ...one, text: json, finishReason: "stop" }));
          return Object.assign(whole, {
            cancel() {},
            async *[Symbol.asyncIterator]() {
              for (const letter of json) yield letter;
            },
          });
        },
        dispose() {},
      }),
    };
    return { fake, asked };
  };
  const schema = {
    type: "object",
    properties: { count: { type: "number" } },
    required: ["count"],
    additionalProperties: false,
  };

  for (const major of [5, 6, 7])
    test(`ai ${major}: generateObject, streamObject and Output hand the schema on`, async () => {
      const ai = await import(`ai${major}`);
      const options = major === 5 ? { specification: "v2" } : {};
      const { fake, asked } = says('{"count": 3}');
      const model = tinyVLM(fake, options);
      const wanted = ai.jsonSchema(schema);
      if (ai.generateObject) {
        const { object } = await ai.generateObject({ model, prompt: "?", schema: wanted });
        assert.deepEqual(object, { count: 3 });
        const stream = ai.streamObject({ model, prompt: "?", schema: wanted });
        let last;
        for await (const partial of stream.partialObjectStream) last = partial;
        assert.deepEqual([last, await stream.object], [{ count: 3 }, { count: 3 }]);
      }
      const output = { output: ai.Output.object({ schema: wanted }) };
      const old = { experimental_output: output.output };
      const result = await ai.generateText({
        model,
        prompt: "?",
        ...(major === 5 ? old : output),
      });
      assert.deepEqual(result.output ?? result.experimental_output, { count: 3 });
      assert(asked.length > 0);
      for (const format of asked)
        assert.deepEqual(format.schema.properties, { count: { type: "number" } });
    });
});

test("the types are those of the AI SDK", () => {
  const { status, stdout } = spawnSync(
    process.execPath,
    [
      join(root, "node_modules", "typescript", "bin", "tsc"),
      ...[
        "--ignoreConfig",
        "--noEmit",
        "--strict",
        "--skipLibCheck",
        "--target",
        "es2022",
        "--module",
        "nodenext",
      ],
      join(import.meta.dirname, "ai-sdk.types.ts"),
    ],
    { encoding: "utf8" },
  );
  assert.equal(status, 0, stdout);
});

test("streamText on a page, in Chromium", async () => {
  const { launchChromium, serve, withPage } = await import(
    pathToFileURL(join(root, "tests-browser", "harness.mjs"))
  );
  const { outputFiles } = await build({
    stdin: {
      contents: `
        import { streamText } from "ai7";
        import { tinyVLM } from "tiny-vlm/ai-sdk";
        window.ask = async (TinyVLM, image, question) => {
          const vlm = await TinyVLM.load(undefined, { threads: 1 });
          const { textStream } = streamText({
            model: tinyVLM(vlm),
            messages: [{ role: "user", content: [
              { type: "text", text: question },
              { type: "file", data: new URL(image, location.href), mediaType: "image/*" },
            ] }],
          });
          let text = "";
          for await (const piece of textStream) text += piece;
          await vlm.dispose();
          return text;
        };`,
      resolveDir: import.meta.dirname,
    },
    bundle: true,
    write: false,
    format: "iife",
    platform: "browser",
    define: { "process.env.NODE_ENV": '"production"' },
    logLevel: "error",
  });
  const browser = await launchChromium();
  const server = await serve({
    routes: {
      "/bundle.js": (_, response) =>
        response.writeHead(200, { "content-type": "text/javascript" }).end(outputFiles[0].contents),
      "/page.html": (_, response) =>
        response
          .writeHead(200, { "content-type": "text/html" })
          .end('<!doctype html><script src="/bundle.js"></script>'),
    },
  });
  try {
    await withPage(browser, `${server.url}/page.html`, async (page) => {
      const answer = await page.evaluate(
        async ([image, question]) => {
          const { TinyVLM } = await import("/dist/index.mjs");
          return window.ask(TinyVLM, image, question);
        },
        [`data:image/png;base64,${first.base64}`, first.question],
      );
      assert.equal(answer, first.answer);
    });
  } finally {
    await browser.close();
    await server.close();
  }
});
