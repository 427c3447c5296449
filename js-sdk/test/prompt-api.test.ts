// tiny-vlm/prompt-api with the fake engine. tests-browser/prompt-api.spec.mjs has it on a page.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import {
  installPromptApi,
  promptApi,
  type CreateOptions,
  type LanguageModelSession,
  type Prompt,
} from "../src/adapters/prompt-api.js";
import { fakeModel } from "./fake-engine.js";
import { serveFiles, type FileServer } from "./file-server.js";

let server: FileServer;
before(async () => {
  server = await serveFiles({ model: fakeModel(300_000) });
});
after(() => server.close());

const load = { source: fakeModel(1000), threads: 1, cache: false };
const image = (first: number) => ({ type: "image", value: Uint8Array.of(first) });
const images = [{ type: "image" }];

interface Heard {
  images: { first: number }[];
  question: { messages: { role: string; content: string }[]; [option: string]: unknown };
}
const heard = async (session: LanguageModelSession, more: Prompt = "echo") =>
  JSON.parse(await session.prompt(more)) as Heard;
const texts = ({ question }: Heard) =>
  question.messages.map(({ role, content }) => `${role}: ${content}`);
const named = (name: string, message = /./) => {
  return (error: Error) => {
    assert(error instanceof DOMException, String(error));
    assert.equal(error.name, name);
    assert.match(error.message, message);
    return true;
  };
};

test("a session knows what was said; each prompt and answer becomes part of it", async () => {
  const LanguageModel = promptApi(load);
  const session = await LanguageModel.create({
    expectedInputs: [{ type: "text", languages: ["en"] }, ...images],
    expectedOutputs: [{ type: "text" }],
    initialPrompts: [
      { role: "system", content: "Be brief." },
      { role: "user", content: [image(1), { type: "text", value: "What is this?" }] },
      { role: "assistant", content: "A pear." },
    ],
  });
  assert(session instanceof (LanguageModel as unknown as typeof EventTarget));
  assert.equal(session.contextWindow, 64);
  assert(session.contextUsage > 0);
  assert.equal(await session.prompt("count 2"), "0 1 ");
  await session.append([{ role: "user", content: [image(2)] }]);
  const clone = await session.clone();
  const whole = await heard(session, [
    { role: "user", content: [{ type: "text", value: "a" }] },
    { role: "assistant", content: "b" },
    { role: "user", content: [image(3), { type: "text", value: "echo" }] },
  ]);
  assert.deepEqual(texts(whole), [
    "system: Be brief.",
    "user: What is this?",
    "assistant: A pear.",
    "user: count 2",
    "assistant: 0 1 ",
    "user: a",
    "assistant: b",
    "user: echo",
  ]);
  assert.deepEqual(
    whole.images.map(({ first }) => first),
    [1, 2, 3],
  );
  assert.equal((await heard(clone)).question.messages.length, 6);
  session.destroy();
  await assert.rejects(session.prompt("count 1"), named("InvalidStateError"));
  assert.equal(await clone.prompt("count 1"), "0 ");
  clone.destroy();
  assert.equal(await LanguageModel.availability(), "downloadable");
});

/** Its streams give their pieces to a loop, and end their work where the loop is left. */
async function assertLoopable(session: LanguageModelSession): Promise<void> {
  const pieces = [];
  for await (const piece of session.promptStreaming("count 3")) pieces.push(piece);
  assert.deepEqual(pieces, ["0 ", "1 ", "2 "]);
  for await (const piece of session.promptStreaming("slow")) if (piece === "2 ") break;
  assert(texts(await heard(session)).some((text) => text.startsWith("assistant: 0 1 2 ")));
}

test("promptStreaming streams; leaving it, a signal and destroy() end the work", async () => {
  const session = await promptApi(load).create();
  await assertLoopable(session);
  const controller = new AbortController();
  const aborted = session.prompt("slow", { signal: controller.signal });
  const reason = new Error("enough");
  setTimeout(() => controller.abort(reason), 20);
  await assert.rejects(aborted, reason);
  await assert.rejects(session.prompt("count 1", { signal: controller.signal }), reason);
  const reader = session.promptStreaming("slow").getReader();
  await reader.read();
  const waiting = session.prompt("count 1");
  session.destroy();
  await assert.rejects(
    async () => {
      for (;;) if ((await reader.read()).done) break;
    },
    named("AbortError", /destroyed/),
  );
  await assert.rejects(waiting, named("AbortError"));
  session.destroy();
});

test("where streams cannot be looped over (WebKit), those of promptStreaming can", async () => {
  const { prototype } = ReadableStream;
  const own = Object.getOwnPropertyDescriptor(prototype, Symbol.asyncIterator)!;
  delete (prototype as Partial<ReadableStream>)[Symbol.asyncIterator];
  try {
    const session = await promptApi(load).create();
    await assertLoopable(session);
    session.destroy();
  } finally {
    Object.defineProperty(prototype, Symbol.asyncIterator, own);
  }
});

test("prompts of one session are answered in their order", async () => {
  const session = await promptApi(load).create();
  const first = session.prompt("count 2");
  const second = heard(session);
  await first;
  assert.deepEqual(texts(await second), ["user: count 2", "assistant: 0 1 ", "user: echo"]);
  session.destroy();
});

test("sampling, constraints and usage", async () => {
  const LanguageModel = promptApi(load);
  const options = async (create: CreateOptions) => {
    const session = await LanguageModel.create(create);
    const { temperature, topK } = (await heard(session)).question;
    const shown = [session.temperature, session.topK];
    session.destroy();
    return [temperature, topK, ...shown];
  };
  assert.deepEqual(await options({}), [0, undefined, 0, 1]);
  assert.deepEqual(await options({ topK: 5, temperature: 0.7 }), [0.7, 5, 0.7, 5]);
  assert.deepEqual(await options({ topK: 1e9, temperature: 9 }), [2, 128, 2, 128]);
  assert.deepEqual(await options({ samplingMode: "creative" }), [0.8, undefined, 0.8, 1]);
  assert.deepEqual(Object.keys(await LanguageModel.params()), [
    ...["defaultTopK", "maxTopK", "defaultTemperature", "maxTemperature"],
  ]);
  for (const wrong of [{ topK: 0 }, { temperature: -1 }, { temperature: NaN }])
    await assert.rejects(LanguageModel.create(wrong), RangeError);
  await assert.rejects(LanguageModel.create({ samplingMode: "wild" as "default" }), TypeError);
  const session = await LanguageModel.create();
  assert.equal(session.contextUsage, 0);
  const measured = await session.measureContextUsage("count 2");
  assert(measured > 0);
  assert.equal(session.contextUsage, 0);
  await session.append("count 2");
  assert.equal(session.contextUsage, measured);
  assert.equal(await session.measureContextUsage([]), 0);
  for (const [responseConstraint, wanted] of [
    [{ type: "object" }, { schema: { type: "object" } }],
    [/a|b/, { pattern: "a|b" }],
  ] as const) {
    const given = { responseConstraint, omitResponseConstraintInput: true };
    const another = await LanguageModel.create();
    const { question } = JSON.parse(await another.prompt("echo", given)) as Heard;
    assert.deepEqual(question["responseFormat"], wanted);
    another.destroy();
  }
  await assert.rejects(session.prompt("a", { omitResponseConstraintInput: true }), TypeError);
  session.destroy();
});

test("what cannot be done is an exception that pages know", async () => {
  const LanguageModel = promptApi(load);
  for (const options of [
    { expectedInputs: [{ type: "audio" }] },
    { expectedOutputs: [{ type: "image" }] },
    { tools: [{}] },
  ]) {
    assert.equal(await LanguageModel.availability(options), "unavailable");
    await assert.rejects(LanguageModel.create(options), named("NotSupportedError"));
  }
  assert.throws(() => new (LanguageModel as unknown as new () => object)(), TypeError);
  const session = await LanguageModel.create({ expectedInputs: images });
  const said = (role: string, content: unknown, more = {}) =>
    session.prompt([{ role, content, ...more }] as unknown as Prompt);
  await assert.rejects(said("system", "a"), named("NotSupportedError", /initial prompts/));
  await assert.rejects(said("king", "a"), TypeError);
  await assert.rejects(said("user", 7), TypeError);
  await assert.rejects(said("user", [{ type: "text", value: 7 }]), TypeError);
  await assert.rejects(session.prompt({} as string), TypeError);
  await assert.rejects(said("user", "a", { prefix: true }), named("NotSupportedError"));
  await assert.rejects(said("user", [{ type: "audio" }]), named("NotSupportedError", /audio/));
  await assert.rejects(said("user", [{ type: "image", value: "a.png" }]), TypeError);
  await assert.rejects(said("user", [image(0xbb)]), named("EncodingError"));
  await assert.rejects(said("assistant", "a"), named("NotSupportedError"));
  let overflows = 0;
  session.oncontextoverflow = () => overflows++;
  await assert.rejects(said("user", "fail 7"), named("QuotaExceededError"));
  assert.equal(overflows, 1);
  assert.equal((await heard(session)).question.messages.length, 1);
  session.destroy();
  const plain = await LanguageModel.create();
  await assert.rejects(
    plain.prompt([{ role: "user", content: [image(1)] }]),
    named("NotSupportedError", /expectedInputs/),
  );
  plain.destroy();
  const gone = promptApi({ ...load, source: server.url("nothing") });
  await assert.rejects(gone.create(), named("NetworkError", /404/));
});

test("images are as they were when they were passed", async () => {
  const session = await promptApi(load).create({ expectedInputs: images });
  const bytes = Uint8Array.of(1);
  const pixels = { data: new Uint8ClampedArray(12).fill(2), width: 2, height: 2 };
  const values = [bytes, bytes.buffer, new DataView(bytes.buffer), new Blob([bytes]), pixels];
  const content = values.map((value) => ({ type: "image", value }));
  const appended = session.append([{ role: "user", content }]);
  bytes[0] = 9;
  pixels.data.fill(9);
  await appended;
  const firsts = (await heard(session)).images.map(({ first }) => first);
  assert.deepEqual(firsts, [1, 1, 1, 1, 2]);
  session.destroy();
});

test("the model is loaded once, watched, and given up when nobody wants it", async () => {
  const slow = promptApi({ ...load, source: server.url("slow/model") });
  assert.equal(await slow.availability(), "downloadable");
  const [one, two] = [new AbortController(), new AbortController()];
  const first = slow.create({ signal: one.signal });
  const second = slow.create({ signal: two.signal });
  await new Promise((resolve) => setTimeout(resolve, 20));
  two.abort();
  await assert.rejects(second, { name: "AbortError" });
  assert.equal(await slow.availability(), "downloading");
  one.abort();
  await assert.rejects(first, { name: "AbortError" });
  assert.equal(await slow.availability(), "downloadable");

  const LanguageModel = promptApi({ ...load, source: server.url("model") });
  const seen: number[] = [];
  const monitor = (target: EventTarget) =>
    target.addEventListener("downloadprogress", (event) =>
      seen.push((event as ProgressEvent).loaded),
    );
  const sessions = await Promise.all([LanguageModel.create({ monitor }), LanguageModel.create()]);
  assert.equal(await LanguageModel.availability(), "available");
  assert.deepEqual([seen[0], seen.at(-1)], [0, 1]);
  assert.deepEqual(
    seen,
    [...seen].sort((a, b) => a - b),
  );
  sessions[0]!.destroy();
  assert.equal(await sessions[1]!.prompt("count 1"), "0 ");
  sessions[1]!.destroy();
  assert.equal(await LanguageModel.availability(), "downloadable");
});

test("it is installed where there is none that works", async () => {
  const scope = globalThis as { LanguageModel?: { availability(): Promise<string> } };
  const works = { availability: async () => "downloadable" };
  scope.LanguageModel = works;
  assert.equal(await installPromptApi(load), false);
  assert.equal(scope.LanguageModel, works);
  scope.LanguageModel = { availability: async () => "unavailable" };
  assert.equal(await installPromptApi(load), true);
  assert.equal(await installPromptApi(load), false);
  const { LanguageModel } = globalThis as unknown as {
    LanguageModel: ReturnType<typeof promptApi>;
  };
  const session = await LanguageModel.create();
  assert.equal(await session.prompt("count 1"), "0 ");
  session.destroy();
  assert.equal(Reflect.deleteProperty(globalThis, "LanguageModel"), true);
});
