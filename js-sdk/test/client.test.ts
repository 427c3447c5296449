// The whole SDK in Node, in real workers, with the fake engine.

import assert from "node:assert/strict";
import * as fs from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { pathToFileURL } from "node:url";
import { runInNewContext } from "node:vm";
import { TinyVLM, TinyVLMError, type AnswerStream, type LoadProgress } from "../src/node.js";
import { isThreaded, variants, type Variant } from "../src/protocol/values.js";
import { reasonAgainst } from "../src/runtime/features.js";
import { fakeModel, fakeWasm } from "./fake-engine.js";
import { startFaultyServer } from "./faulty-server.mjs";
import { serveFiles, type FileServer } from "./file-server.js";

const model = fakeModel(300_000);

// What this Node can run, best first.
const fit = variants.filter((variant) => !reasonAgainst(variant, true));
const unfit = variants.filter((variant) => !fit.includes(variant));
const best = fit.find((variant) => !isThreaded(variant))!;
const bestThreaded = fit.find(isThreaded)!;
let server: FileServer;
let folder: string;

before(async () => {
  server = await serveFiles({
    model,
    "cut-off": fakeModel(300_000, 1),
    "not-fake": new Uint8Array(1000),
    "a.wasm": fakeWasm(""),
  });
  folder = await fs.mkdtemp(join(tmpdir(), "tiny-vlm-client-"));
  await fs.writeFile(join(folder, "model"), model);
  for (const variant of variants)
    await fs.writeFile(join(folder, `tiny-vlm-${variant}.wasm`), fakeWasm(""));
});
after(async () => {
  await server.close();
  await fs.rm(folder, { recursive: true });
});

const load = (options = {}) => TinyVLM.load(model, { threads: 1, ...options });

async function failure(promise: PromiseLike<unknown>): Promise<TinyVLMError> {
  const reason: unknown = await promise.then(
    () => assert.fail("it succeeded"),
    (error: unknown) => error,
  );
  assert(reason instanceof TinyVLMError, String(reason));
  return reason;
}

async function firstPiece(stream: AnswerStream): Promise<void> {
  await stream[Symbol.asyncIterator]().next();
}

test("every kind of source loads", async () => {
  const path = join(folder, "model");
  const sources = [
    model,
    model.buffer,
    Buffer.from(model),
    new Blob([model]),
    path,
    pathToFileURL(path),
    pathToFileURL(path).href,
  ];
  for (const source of [
    ...sources,
    server.url("model"),
    new URL(server.url("model")),
    server.url("sizeless/model"),
    await fetch(server.url("model")),
  ]) {
    const vlm = await TinyVLM.load(source, { threads: 1 });
    assert.deepEqual(
      [vlm.info.name, vlm.info.fileBytes, vlm.variant, vlm.threads],
      ["fake", 300_000, best, 1],
    );
    await vlm.dispose();
  }
  assert.equal(model.length, 300_000); // the caller's bytes are still there
});

test("progress goes through its phases and ends whole", async () => {
  const seen: LoadProgress[] = [];
  const vlm = await TinyVLM.load(server.url("sizeless/model"), {
    threads: 1,
    cache: false,
    onProgress: (progress) => seen.push(progress),
  });
  await vlm.dispose();
  assert.deepEqual([...new Set(seen.map(({ phase }) => phase))], ["engine", "weights", "ready"]);
  const { bytesPerSecond, ...ready } = seen.at(-1)!;
  assert.deepEqual(ready, {
    phase: "ready",
    loadedBytes: 300_000,
    totalBytes: 300_000,
    cachedBytes: 0,
    secondsLeft: 0,
  });
  assert(bytesPerSecond >= 0);
  for (let index = 1; index < seen.length; index++) {
    const { loadedBytes, totalBytes } = seen[index]!;
    assert(loadedBytes >= seen[index - 1]!.loadedBytes);
    assert(totalBytes === 0 || loadedBytes <= totalBytes);
  }
});

test("failing sources say why", async () => {
  const cases: [string | number, string, RegExp][] = [
    [server.url("nothing"), "http", /404/],
    [server.url("page"), "invalid_file", /web page/],
    [server.url("page-as-file"), "invalid_file", /web page/],
    [server.url("cut-off"), "invalid_file", /wanted 300000 bytes, found 299999/],
    [server.url("short/model"), "invalid_file", /truncated/],
    [server.url("drop/model"), "network", /broke after/],
    [server.url("not-fake"), "invalid_file", /wanted the letters FAKE/],
    [join(folder, "nothing"), "not_found", /no such file/],
    ["hf:owner", "invalid_argument", /hf:owner\/repository\/file/],
    ["ftp://somewhere/model", "invalid_argument", /ftp:/],
    [7, "invalid_argument", /number 7/],
  ];
  for (const [source, code, message] of cases) {
    const error = await failure(TinyVLM.load(source as string, { threads: 1 }));
    assert.equal(error.code, code, error.message);
    assert.match(error.message, message);
  }
});

test("a failing Response says why", async () => {
  assert.equal((await failure(TinyVLM.load(await fetch(server.url("nothing"))))).code, "http");
  assert.equal((await failure(TinyVLM.load(await fetch(server.url("page"))))).code, "invalid_file");
  assert.equal(
    (await failure(TinyVLM.load(await fetch(server.url("drop/model")), { threads: 1 }))).code,
    "network",
  );
});

test("abort ends loading, before and in the middle", async () => {
  assert.equal(
    (await failure(TinyVLM.load(model, { signal: AbortSignal.abort() }))).code,
    "aborted",
  );
  const controller = new AbortController();
  const loading = TinyVLM.load(server.url("slow/model"), {
    threads: 1,
    signal: controller.signal,
    onProgress: ({ loadedBytes }) => {
      if (loadedBytes > 0) controller.abort();
    },
  });
  const error = await failure(loading);
  assert.deepEqual([error.code, error.name], ["aborted", "AbortError"]);
});

test("an early model is asked while it arrives, and answers when it is there", async () => {
  const world = await startFaultyServer({ files: { model: fakeModel(300_000) } });
  try {
    world.plan("model", [{ name: "stall", after: 100_000 }]);
    const phases: string[] = [];
    const vlm = await TinyVLM.load(world.url("model"), {
      ...{ threads: 1, cache: false, early: true, stallTimeout: 1000 },
      onProgress: ({ phase }) => phases.push(phase),
    });
    assert.equal(vlm.info.fileBytes, 300_000);
    assert(!phases.includes("ready"));
    const { text } = await vlm.ask(null, "count 3");
    assert.equal(text, "0 1 2 ");
    await vlm.whenReady;
    assert.equal(phases.at(-1), "ready");
    assert.equal(world.requests().length, 2);
    await vlm.dispose();
  } finally {
    await world.close();
  }
});

test("where an early model never arrives, questions say why", async () => {
  const world = await startFaultyServer({ files: { model: fakeModel(300_000) } });
  try {
    world.plan("model", [{ name: "stall", after: 100_000 }, { name: "status-404" }]);
    const vlm = await TinyVLM.load(world.url("model"), {
      ...{ threads: 1, cache: false, early: true, stallTimeout: 1000 },
    });
    const asked = vlm.ask(null, "count 3").then(
      () => assert.fail("it was answered"),
      (error: unknown) => error as TinyVLMError,
    );
    assert.equal((await asked).code, "http");
    assert.equal((await failure(vlm.whenReady)).code, "http");
    assert.equal((await failure(vlm.ask(null, "count 3"))).code, "http");
    // One that is disposed of before.
    world.reset();
    world.plan("model", [{ name: "stall", after: 100_000 }]);
    const other = await TinyVLM.load(world.url("model"), {
      ...{ threads: 1, cache: false, early: true },
    });
    const pending = failure(other.ask(null, "count 3"));
    await other.dispose();
    assert.equal((await pending).code, "aborted");
    assert.equal((await failure(other.whenReady)).code, "aborted");
  } finally {
    await world.close();
  }
});

test("an answer streams, and awaits to the whole", async () => {
  const vlm = await load();
  const stream = vlm.ask(null, "count 5");
  const pieces: string[] = [];
  for await (const piece of stream) pieces.push(piece);
  assert.deepEqual(pieces, ["0 ", "1 ", "2 ", "3 ", "4 "]);
  const { text, finishReason, usage, timings, variant, threads } = await stream;
  assert.deepEqual(
    [text, finishReason, usage.completionTokens, variant, threads],
    ["0 1 2 3 4 ", "stop", 5, best, 1],
  );
  assert.deepEqual(Object.keys(timings), [
    "decodeImageMs",
    "preprocessMs",
    "visionMs",
    "prefillMs",
    "firstTokenMs",
    "decodeMs",
    "totalMs",
    "tokensPerSecond",
  ]);
  assert(timings.firstTokenMs > 0 && timings.firstTokenMs <= timings.totalMs);
  assert((await vlm.memoryBytes()) > 0);
  assert(!("logprobs" in (await stream)));
  const { logprobs } = await vlm.ask(null, "count 2", { logprobs: 0 });
  assert.deepEqual(
    logprobs?.map(({ text, logprob }) => [text, logprob]),
    [
      ["0 ", -0.5],
      ["1 ", -0.5],
    ],
  );
  await vlm.dispose();
});

test("options and images reach the engine as they are", async () => {
  const vlm = await load();
  const file = join(folder, "image");
  await fs.writeFile(file, Uint8Array.of(1, 2, 3, 4));
  const pixels = { data: Uint8Array.of(5, 0, 0, 0, 0, 6), width: 2, height: 1 };
  const images = [
    file,
    Buffer.from([7, 8]),
    new Blob([Uint8Array.of(9)]),
    pathToFileURL(file),
    "data:image/png;base64,Cgs=",
    new URL("data:,%0C%ff"),
    pixels,
  ];
  const rgba = { data: new Uint8ClampedArray(8).fill(3), width: 1, height: 2 };
  const { text } = await vlm.ask([...images, rgba], "echo", {
    maxTokens: 9,
    temperature: 0.5,
    topK: 3,
    topP: 0.9,
    minP: 0.1,
    repetitionPenalty: 1.1,
    frequencyPenalty: 0.5,
    presencePenalty: -2,
    noRepeatNgram: 3,
    stop: "x",
    responseFormat: { schema: { type: "object", properties: { b: {}, a: { enum: ["é"] } } } },
    logprobs: 2,
    seed: 4,
    exactPreprocess: true,
  });
  const heard = JSON.parse(text) as { images: object[]; question: { messages: object[] } };
  const { messages, ...options } = heard.question;
  // The engine's warm-up may have used a number.
  const [first = 0] = (messages[0] as { images: number[] }).images;
  assert.deepEqual(messages, [
    { role: "user", content: "echo", images: heard.images.map((_, index) => first + index) },
  ]);
  assert.deepEqual(options, {
    maxTokens: 9,
    temperature: 0.5,
    topK: 3,
    topP: 0.9,
    minP: 0.1,
    repetitionPenalty: 1.1,
    frequencyPenalty: 0.5,
    presencePenalty: -2,
    noRepeatNgram: 3,
    stop: ["x"],
    responseFormat: { schema: { type: "object", properties: { b: {}, a: { enum: ["é"] } } } },
    logprobs: 2,
    seed: 4,
  });
  assert.deepEqual(heard.images, [
    { bytes: 4, format: "encoded", exact: true, first: 1, last: 4 },
    { bytes: 2, format: "encoded", exact: true, first: 7, last: 8 },
    { bytes: 1, format: "encoded", exact: true, first: 9, last: 9 },
    { bytes: 4, format: "encoded", exact: true, first: 1, last: 4 },
    { bytes: 2, format: "encoded", exact: true, first: 10, last: 11 },
    { bytes: 2, format: "encoded", exact: true, first: 12, last: 255 },
    { bytes: 6, format: "rgb", width: 2, height: 1, exact: true, first: 5, last: 6 },
    { bytes: 8, format: "rgba", width: 1, height: 2, exact: true, first: 3, last: 3 },
  ]);
  assert.equal(pixels.data.length, 6); // still the caller's
  await vlm.dispose();
});

test("arrays and bytes of another realm are arrays and bytes", async () => {
  const vlm = await load();
  const [rgba, bytes, buffer] = runInNewContext(
    "[new Uint8ClampedArray([7, 7, 7, 7]), new Uint8Array([8, 8]), new Uint8Array([9]).buffer]",
  ) as [Uint8ClampedArray, Uint8Array, ArrayBuffer];
  assert(!(rgba instanceof Uint8ClampedArray));
  const { images } = await heard(
    vlm.ask([{ data: rgba, width: 1, height: 1 }, bytes, buffer], "echo"),
  );
  assert.deepEqual(
    images.map(({ first }) => first),
    [7, 8, 9],
  );
  await vlm.dispose();
});

test("Blobs of a test environment are read, and bytes need no global Blob", async () => {
  // As jsdom has them: nothing that could be sent to a worker.
  class ForeignBlob {
    readonly size = 1;
    readonly content: number;
    readonly [Symbol.toStringTag] = "Blob";
    constructor(content: number) {
      this.content = content;
    }
    arrayBuffer(): Promise<ArrayBuffer> {
      if (this.content === 0) return Promise.reject(new Error("gone"));
      return Promise.resolve(Uint8Array.of(this.content).buffer);
    }
  }
  class OldBlob extends ForeignBlob {
    override arrayBuffer = undefined as never;
  }
  // As happy-dom has them: without a name.
  class NamelessBlob {
    readonly size = 1;
    readonly type = "";
    slice = () => this;
    arrayBuffer = async () => Uint8Array.of(9).buffer;
  }
  class OldFileReader {
    result: ArrayBuffer | undefined;
    onload = () => {};
    readAsArrayBuffer(blob: OldBlob): void {
      this.result = Uint8Array.of(blob.content).buffer;
      setImmediate(() => this.onload());
    }
  }
  const { Blob: nodes } = globalThis;
  Object.assign(globalThis, { Blob: ForeignBlob, FileReader: OldFileReader });
  try {
    const vlm = await load();
    const images = [
      ...[new ForeignBlob(5), new OldBlob(6), Uint8Array.of(7), "data:,%08", new NamelessBlob()],
      ...[new DataView(Uint8Array.of(10).buffer), "data:image/svg+xml;utf8,ö", "data:,%F6%"],
    ];
    const { images: received } = await heard(vlm.ask(images as unknown as Blob[], "echo"));
    assert.deepEqual(
      received.map(({ first }) => first),
      [5, 6, 7, 8, 9, 10, 0xc3, 0xf6],
    );
    const gone = await failure(vlm.ask(new ForeignBlob(0) as unknown as Blob, "echo"));
    assert.deepEqual([gone.code, gone.message], ["io", "the Blob could not be read: Error: gone"]);
    Reflect.deleteProperty(globalThis, "FileReader");
    const unreadable = await failure(vlm.ask(new OldBlob(6) as unknown as Blob, "echo"));
    assert.equal(unreadable.code, "io");
    assert.match(unreadable.message, /no arrayBuffer\(\), and there is no FileReader/);
    await vlm.dispose();
  } finally {
    globalThis.Blob = nodes;
    Reflect.deleteProperty(globalThis, "FileReader");
  }
});

test("an image is read when ask is called", async () => {
  const vlm = await load();
  const first = vlm.ask(null, "count 3");
  const pixels = { data: Uint8Array.of(1, 1, 1), width: 1, height: 1 };
  const second = vlm.ask(pixels, "echo");
  pixels.data.fill(2);
  await first;
  assert.match((await second).text, /"first":1/);
  await vlm.dispose();
});

test("a bad image fails alone: no other of its question stays behind", async () => {
  const vlm = await load();
  for (const bad of [Uint8Array.of(0xbb), new Uint8Array()])
    assert.equal((await failure(vlm.ask([Uint8Array.of(1), bad], "echo"))).code, "invalid_image");
  assert.equal(
    (await failure(vlm.ask([Uint8Array.of(1), join(folder, "nothing")], "echo"))).code,
    "not_found",
  );
  assert.deepEqual(
    (JSON.parse((await vlm.ask(null, "echo")).text) as { images: object[] }).images,
    [],
  );
  await vlm.dispose();
});

interface Heard {
  images: { first: number }[];
  held: number;
  question: { messages: { role: string; content: string; images?: number[] }[] };
}
const heard = async (stream: AnswerStream) => JSON.parse((await stream).text) as Heard;

test("a chat sends its earlier turns with their images, and dispose releases them", async () => {
  const vlm = await load();
  const chat = vlm.chat({ system: "Be brief." });
  await chat.ask(Uint8Array.of(1), "count 2");
  await chat.ask("count 1");
  const { images, question } = await heard(chat.ask([Uint8Array.of(2), Uint8Array.of(3)], "echo"));
  assert.deepEqual(
    images.map(({ first }) => first),
    [1, 2, 3],
  );
  assert.deepEqual(
    question.messages.map(({ role, content }) => `${role}: ${content}`),
    [
      "system: Be brief.",
      "user: count 2",
      "assistant: 0 1 ",
      "user: count 1",
      "assistant: 0 ",
      "user: echo",
    ],
  );
  assert.deepEqual(chat.messages.slice(0, 3), [
    { role: "system", content: "Be brief.", images: 0 },
    { role: "user", content: "count 2", images: 1 },
    { role: "assistant", content: "0 1 ", images: 0 },
  ]);
  assert.equal(chat.messages.length, 7);
  // A question outside the chat knows nothing of it, and another chat neither.
  const outside = await heard(vlm.ask(null, "echo", { system: "" }));
  assert.deepEqual(
    [outside.images, outside.held, outside.question.messages.map(({ content }) => content)],
    [[], 3, ["", "echo"]],
  );
  assert.equal((await heard(vlm.chat().ask("echo"))).question.messages.length, 1);
  chat.dispose();
  assert.equal((await heard(vlm.ask(null, "echo"))).held, 0);
  assert.equal((await failure(chat.ask("count 1"))).code, "not_ready");
  await vlm.dispose();
  vlm.chat().dispose();
});

test("a chat that is given messages asks with them and their images, again where it failed", async () => {
  const vlm = await load();
  const messages = [
    { role: "user", content: "What is this?", images: [Uint8Array.of(1), Uint8Array.of(2)] },
    { role: "assistant", content: "A pear." },
    { role: "user", content: "And this?", images: [Uint8Array.of(3)] },
    { role: "assistant", content: "A plum.", images: [] },
  ] as const;
  const chat = vlm.chat({ system: "Be brief.", messages });
  assert.deepEqual(
    chat.messages.map(({ role, images }) => `${role} ${images}`),
    ["system 0", "user 2", "assistant 0", "user 1", "assistant 0"],
  );
  assert.equal((await failure(chat.ask(Uint8Array.of(4), "fail 7"))).code, "context_full");
  // Both are asked at once: both bring the images, only the first one's are kept.
  const first = heard(chat.ask(Uint8Array.of(4), "echo"));
  const second = heard(chat.ask([Uint8Array.of(5), Uint8Array.of(6)], "echo"));
  const firsts = async (answer: typeof first) => (await answer).images.map((image) => image.first);
  assert.deepEqual(await firsts(first), [1, 2, 3, 4]);
  assert.deepEqual(await firsts(second), [1, 2, 3, 4, 5, 6]);
  assert.equal((await second).held, 6);
  assert.deepEqual(
    (await first).question.messages.map(({ role, images }) => [role, images?.length]),
    [
      ["system", 0],
      ["user", 2],
      ["assistant", 0],
      ["user", 1],
      ["assistant", 0],
      ["user", 1],
    ],
  );
  assert.equal((await heard(chat.ask("echo"))).held, 6);
  chat.dispose();
  vlm.chat({ messages }).dispose();
  assert.equal((await heard(vlm.ask(null, "echo"))).held, 0);
  const bad = vlm.chat({
    messages: [{ role: "user", content: "?", images: [Uint8Array.of(0xbb)] }],
  });
  assert.equal((await failure(bad.ask("echo"))).code, "invalid_image");
  for (const wrong of [{}, [null], [{ role: "user" }], [{ content: "", images: 1 }]])
    assert.throws(() => vlm.chat({ messages: wrong } as object), {
      code: "invalid_argument",
      message: /wanted a list of \{ role, content, images \} for messages/,
    });
  await vlm.dispose();
});

test("questions of a chat that do not wait for each other know each other's answers", async () => {
  const vlm = await load();
  const chat = vlm.chat();
  const first = chat.ask("count 2");
  const second = await heard(chat.ask(null, "echo"));
  assert.deepEqual(
    second.question.messages.map(({ content }) => content),
    ["count 2", (await first).text, "echo"],
  );
  await vlm.dispose();
});

test("a failed or aborted turn leaves a chat as it was; one cancelled midway stays", async () => {
  const vlm = await load();
  const chat = vlm.chat();
  assert.equal((await failure(chat.ask(Uint8Array.of(1), "fail 7"))).code, "context_full");
  assert.equal(
    (await failure(chat.ask([Uint8Array.of(1), Uint8Array.of(0xbb)], "count 1"))).code,
    "invalid_image",
  );
  const controller = new AbortController();
  const taken = chat.ask(Uint8Array.of(1), "slow", { signal: controller.signal });
  await firstPiece(taken);
  controller.abort();
  assert.equal((await failure(taken)).code, "aborted");
  assert.equal((await failure(chat.ask("count 1", { system: "late" }))).code, "invalid_argument");
  const unsaid = chat.ask("slow");
  unsaid.cancel();
  assert.equal((await unsaid).text, "");
  assert.deepEqual(chat.messages, []);
  assert.equal((await heard(vlm.ask(null, "echo"))).held, 0);
  for await (const piece of chat.ask(Uint8Array.of(1), "slow")) if (piece === "2 ") break;
  const { held, images, question } = await heard(chat.ask("echo"));
  assert.deepEqual(
    [held, images.length, question.messages[1]!.content.startsWith("0 1 2 ")],
    [1, 1, true],
  );
  await vlm.dispose();
});

test("how images are shown is settled when the model is loaded", async () => {
  const vlm = await load({ imageSize: 16, resize: "crop", context: 32, chatStyle: "v1" });
  assert.deepEqual([vlm.info.imageSize, vlm.info.context], [16, 32]);
  assert.match(
    (await vlm.ask(null, "echo")).text,
    /"session":\{"context":32,"imageSize":16,"resize":"crop","chatStyle":"v1"\}/,
  );
  await vlm.dispose();
});

test("wrong arguments are rejected with an error that names them", async () => {
  const vlm = await load();
  const raw = { data: new Uint8Array(5), width: 1, height: 1 };
  const cases: [Parameters<typeof vlm.ask>, RegExp][] = [
    [[null, 3 as unknown as string], /the question, found number 3/],
    [[7 as unknown as string, "x"], /wanted an image .* found number 7/],
    [[{} as unknown as string, "x"], /found an object/],
    [[raw, "x"], /wanted 3 \(RGB\) or 4 \(RGBA\) bytes for 1 × 1 pixels, found 5/],
    [[{ ...raw, width: 0.5 }, "x"], /whole numbers/],
    [["data:image/png;base64", "x"], /comma/],
    [[null, "x", { maxTokens: NaN }], /a number for maxTokens/],
    [[null, "x", { topK: "3" as unknown as number }], /a number for topK, found string 3/],
    [[null, "x", { stop: [1] as unknown as string[] }], /stop/],
    [[null, "x", { system: 1 as unknown as string }], /a string for system/],
  ];
  for (const [args, message] of cases) {
    const error = await failure(vlm.ask(...args));
    assert.equal(error.code, "invalid_argument", error.message);
    assert.match(error.message, message);
  }
  const large = await failure(
    vlm.ask({ data: new Uint8Array(), width: 20_000, height: 20_000 }, "x"),
  );
  assert.deepEqual([large.code, /268435456/.test(large.message)], ["invalid_image", true]);
  assert.equal((await failure(vlm.ask(null, "fail 7"))).code, "context_full");
  assert.equal((await vlm.ask(null, "count 1")).text, "0 ");
  await vlm.dispose();
  for (const options of [
    { threads: 0 },
    { threads: 1.5 },
    { variant: "fast" },
    { context: 0 },
    { compute: "f64" },
    { imageSize: 0 },
    { resize: "fit" },
    { chatStyle: "chatml" },
    { wasmUrl: server.url("a.wasm") },
  ]) {
    assert.equal(
      (await failure(TinyVLM.load(model, options as object))).code,
      "invalid_argument",
      JSON.stringify(options),
    );
  }
});

test("options are checked by the table: unknown names, types and ranges", async () => {
  const vlm = await load();
  const cases: [options: object, message: string][] = [
    [{ max_tokens: 5 }, "unknown option max_tokens; did you mean maxTokens?"],
    [{ top_p: 0.5 }, "unknown option top_p; did you mean topP?"],
    [{ maxtoken: 5 }, "unknown option maxtoken; did you mean maxTokens?"],
    [{ topP: 3 }, "wanted a number from 0 to 1 for topP, found number 3"],
    [{ temperature: -1 }, "wanted a number of 0 or more for temperature, found number -1"],
    [{ topK: 1.5 }, "wanted a whole number from 0 to 2147483647 for topK, found number 1.5"],
    [{ maxTokens: 0 }, "wanted a whole number from 1 to 2147483647 for maxTokens, found number 0"],
    [{ exactPreprocess: 1 }, "wanted true or false for exactPreprocess, found number 1"],
    [{ stop: null }, "wanted a string or a list of strings for stop, found object null"],
  ];
  for (const [options, message] of cases) {
    const error = await failure(vlm.ask(null, "count 1", options));
    assert.deepEqual([error.code, error.message], ["invalid_argument", message]);
  }
  const chat = vlm.chat();
  assert.match((await failure(chat.ask("count 1", { colour: 1 } as object))).message, /known are/);
  assert.equal((await failure(vlm.ask(null, "count 1", null!))).code, "invalid_argument");
  assert.throws(() => vlm.chat({ sytem: "" } as object), {
    code: "invalid_argument",
    message: "unknown option sytem; did you mean system?",
  });
  // What is undefined was left out, whatever its name.
  const left = { maxTokens: undefined, signal: undefined, colour: undefined };
  assert.equal((await vlm.ask(null, "count 1", left)).text, "0 ");
  await vlm.dispose();

  const loadCases: [options: object, message: string][] = [
    [{ image_size: 64 }, "unknown option image_size; did you mean imageSize?"],
    [{ threads: 65 }, "wanted a whole number from 1 to 64 for threads, found number 65"],
    [{ resize: "fit" }, "wanted pad or crop for resize, found string fit"],
    [{ chatStyle: "chatml" }, "wanted qwen_2, v1 or plain for chatStyle, found string chatml"],
    [null!, "wanted an object for the options, found object null"],
  ];
  for (const [options, message] of loadCases) {
    const error = await failure(TinyVLM.load(model, options));
    assert.deepEqual([error.code, error.message], ["invalid_argument", message]);
  }
});

test("questions are answered in the order of the calls", async () => {
  const vlm = await load();
  const order: string[] = [];
  const note = (name: string) => (answer: { text: string }) =>
    order.push(`${name}: ${answer.text.trim()}`);
  await Promise.all([
    vlm.ask(null, "count 3").then(note("a")),
    vlm.ask(new Blob([Uint8Array.of(1)]), "count 1").then(note("b")),
    vlm.ask(null, "count 2").then(note("c")),
  ]);
  assert.deepEqual(order, ["a: 0 1 2", "b: 0", "c: 0 1"]);
  await vlm.dispose();
});

test("a question that cannot be asked does not disturb those in line", async () => {
  const vlm = await load();
  const first = vlm.ask(null, "count 200");
  const bad = vlm.ask({} as never, "x");
  const second = vlm.ask(null, "echo");
  await failure(bad);
  const [a, b] = await Promise.all([first, second]);
  assert.deepEqual([a.usage.completionTokens, b.usage.completionTokens], [200, 1]);
  await vlm.dispose();
});

test("break ends the work within a step; the answer is what was said", async () => {
  const vlm = await load();
  const stream = vlm.ask(null, "slow");
  for await (const piece of stream) if (piece === "2 ") break;
  const left = performance.now();
  const answer = await stream;
  assert.equal(answer.finishReason, "cancelled");
  assert(answer.text.startsWith("0 1 2 "));
  assert((await vlm.ask(null, "count 1")).text === "0 ");
  assert(performance.now() - left < 500);
  await vlm.dispose();
});

test("cancel works in line and before anything is said", async () => {
  const vlm = await load();
  const running = vlm.ask(null, "slow");
  const waiting = vlm.ask(null, "slow");
  waiting.cancel();
  const empty = await waiting;
  assert.deepEqual(
    [empty.text, empty.finishReason, empty.usage.completionTokens],
    ["", "cancelled", 0],
  );
  running.cancel();
  assert.equal((await running).finishReason, "cancelled");
  await vlm.dispose();
});

test("a signal rejects with AbortError and ends the work, under both of its names", async () => {
  const vlm = await load();
  for (const name of ["signal", "abortSignal"]) {
    const controller = new AbortController();
    const stream = vlm.ask(null, "slow", { [name]: controller.signal });
    await firstPiece(stream);
    controller.abort(new Error("enough"));
    const error = await failure(stream);
    assert.deepEqual(
      [error.code, error.name, (error.cause as Error).message],
      ["aborted", "AbortError", "enough"],
    );
    await assert.rejects(
      async () => {
        for await (const _ of stream);
      },
      { name: "AbortError" },
    );
    assert.equal((await vlm.ask(null, "count 1")).text, "0 "); // the worker is free again
    assert.equal(
      (await failure(vlm.ask(null, "slow", { [name]: controller.signal }))).code,
      "aborted",
    );
  }
  await vlm.dispose();
});

test("dispose ends what is under way and what is in line; later calls say so", async () => {
  const vlm = await load();
  const running = vlm.ask(null, "slow");
  const waiting = vlm.ask(null, "count 1");
  await firstPiece(running);
  await vlm.dispose();
  assert.equal((await failure(running)).code, "aborted");
  assert.equal((await failure(waiting)).code, "aborted");
  assert.equal((await failure(vlm.ask(null, "count 1"))).code, "not_ready");
  await assert.rejects(vlm.memoryBytes(), { code: "not_ready" });
  await vlm.dispose();
});

test("await using disposes", async () => {
  const vlm = await load();
  await vlm[Symbol.asyncDispose]();
  assert.equal((await failure(vlm.ask(null, "count 1"))).code, "not_ready");
});

test("an engine that crashes rejects everything with `worker`; a new load works", async () => {
  for (const [prompt, message] of [
    ["crash", /crashed in sessionAdvance: .*unreachable/],
    ["exit", /ended by itself with exit code 7/],
  ] as const) {
    const vlm = await load();
    const running = vlm.ask(null, prompt);
    const waiting = vlm.ask(null, "count 1");
    const error = await failure(running);
    assert.equal(error.code, "worker");
    assert.match(error.message, message);
    assert.equal((await failure(waiting)).code, "worker");
    assert.equal((await failure(vlm.ask(null, "count 1"))).code, "worker");
    await vlm.dispose();
  }
  const again = await load();
  assert.equal((await again.ask(null, "count 1")).text, "0 ");
  await again.dispose();
});

test("a worker that cannot start is `worker`, at once", async () => {
  const missing = await failure(load({ workerUrl: join(folder, "no-worker.mjs") }));
  assert.equal(missing.code, "worker");
  assert.match(missing.message, /no-worker\.mjs/);
  const broken = join(folder, "broken.mjs");
  await fs.writeFile(broken, "this is not JavaScript");
  assert.equal((await failure(load({ workerUrl: broken }))).code, "worker");
  await fs.writeFile(broken, "throw new Error('not today')");
  assert.match((await failure(load({ workerUrl: broken, threads: 2 }))).message, /not today/);
});

test("wasmUrl is a folder, a file with its variant, or a table; files must exist", async () => {
  for (const options of [
    { wasmUrl: `${folder}/` },
    { wasmUrl: server.url("a.wasm"), variant: "scalar" },
    { wasmUrl: { [best]: pathToFileURL(join(folder, `tiny-vlm-${best}.wasm`)) } },
  ]) {
    const vlm = await load(options);
    assert.equal(vlm.variant, "variant" in options ? "scalar" : best);
    await vlm.dispose();
  }
  // The files that were named are the ones that run.
  const wrong = join(folder, "wrong");
  await fs.mkdir(wrong);
  await fs.writeFile(join(wrong, `tiny-vlm-${best}.wasm`), fakeWasm("self-test fails"));
  for (const wasmUrl of [
    `${wrong}/`,
    pathToFileURL(`${wrong}/`),
    join(wrong, `tiny-vlm-${best}.wasm`),
    { [best]: join(wrong, `tiny-vlm-${best}.wasm`) },
  ]) {
    const error = await failure(load({ wasmUrl, variant: best }));
    assert.match(error.message, /self-test failed/);
  }
  assert.equal((await failure(load({ wasmUrl: { [best]: server.url("nothing") } }))).code, "http");
  assert.equal(
    (await failure(load({ wasmUrl: { [best]: join(folder, "nothing") } }))).code,
    "not_found",
  );
  assert.equal(
    (await failure(load({ wasmUrl: { [best]: server.url("page") } }))).code,
    "invalid_file",
  );
});

test("the best build that passes its self-test runs, and the one asked for or none", async () => {
  const threaded = await load({ threads: 2 });
  assert.deepEqual([threaded.variant, threaded.threads], [bestThreaded, 2]);
  await threaded.dispose();
  for (const variant of unfit) {
    const error = await failure(load({ variant, threads: 2 }));
    assert.equal(error.code, "unsupported");
    assert.match(error.message, new RegExp(`${variant}: relaxed SIMD is not supported here`));
  }
  const scalar = await load({ variant: "scalar", threads: 4 });
  assert.deepEqual([scalar.variant, scalar.threads], ["scalar", 1]);
  await scalar.dispose();

  const wrong = (candidates: readonly Variant[]) =>
    Object.fromEntries(candidates.map((variant) => [variant, join(folder, "wrong.wasm")]));
  const wasmUrl = wrong(variants.filter((variant) => variant !== "scalar"));
  await fs.writeFile(join(folder, "wrong.wasm"), fakeWasm("self-test fails"));
  const fallback = await load({ threads: 2, wasmUrl });
  assert.deepEqual([fallback.variant, fallback.threads], ["scalar", 1]);
  await fallback.dispose();
  for (const variant of fit.filter((candidate) => candidate !== "scalar")) {
    const refused = await failure(load({ variant, threads: 2, wasmUrl }));
    assert.equal(refused.code, "unsupported");
    assert.match(
      refused.message,
      new RegExp(`${variant}: its self-test failed: 2 \\+ 2 wanted 4, found 5`),
    );
  }
  const withoutRelaxed = await load({ threads: 2, wasmUrl: wrong(["relaxed", "relaxed-mt"]) });
  assert.equal(withoutRelaxed.variant, "simd-mt");
  await withoutRelaxed.dispose();

  await fs.writeFile(join(folder, "wrong.wasm"), fakeWasm("no memory"));
  const small = await load({ threads: 2, wasmUrl: wrong(variants.filter(isThreaded)) });
  assert.equal(small.variant, best); // the threaded build's memory was not to be had
  await small.dispose();
  assert.equal((await failure(load({ wasmUrl: wrong([best]) }))).code, "out_of_memory");
});

test("no worker keeps the process alive when nothing is under way", async () => {
  // The test runner would wait for it: reaching the end of this file is the proof.
  await load();
});
