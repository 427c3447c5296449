// react-native-tiny-vlm as it is built, over a native module in JavaScript (fake-native.mjs).
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { createServer } from "node:http";
import { join } from "node:path";
import { test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { FakeNative, loadPackage, rejection } from "./fake-native.mjs";

const model = "https://example.org/model.gguf";
const photo = "file:///photos/1.jpg";

async function loaded(options) {
  const native = new FakeNative();
  const { TinyVLM, TinyVLMError } = loadPackage(native);
  return { native, TinyVLM, TinyVLMError, vlm: await TinyVLM.load(model, options) };
}

async function piecesOf(stream) {
  const pieces = [];
  for await (const piece of stream) pieces.push(piece);
  return pieces;
}

const code =
  (wanted, sentence = /./) =>
  (error) => {
    assert.equal(error.code, wanted, error.message);
    assert.match(error.message, sentence);
    return true;
  };

test("an app without the native module is told what to do, when it loads", async () => {
  const { TinyVLM, TinyVLMError } = loadPackage(null);
  await assert.rejects(TinyVLM.load(model), (error) => {
    assert(error instanceof TinyVLMError);
    return code(
      "unsupported",
      /native module TinyVLM is not in this app: build the app again/,
    )(error);
  });
  await assert.rejects(TinyVLM.cache.delete(model), code("unsupported"));
});

test("loading tells its phases in order, and what the model is", async () => {
  const told = [];
  const { native, vlm } = await loaded({
    onProgress: (progress) => told.push(progress),
    headers: { authorization: "Bearer x" },
    context: 1024,
    threads: 2,
  });
  assert.deepEqual(
    told.map(({ phase, loadedBytes, totalBytes }) => [phase, loadedBytes, totalBytes]),
    [
      ["engine", 0, 0],
      ["download", 1000, 3000],
      ["download", 3000, 3000],
      ["weights", 1000, 3000],
      ["weights", 3000, 3000],
      ["ready", 3000, 3000],
    ],
  );
  const [[number, source, options]] = native.callsOf("load");
  assert.deepEqual(source, {
    kind: "download",
    url: model,
    headers: { authorization: "Bearer x" },
    stallTimeout: 20000,
  });
  assert.deepEqual(options, { context: 1024, threads: 2 });
  assert.equal(vlm.info.name, "fake");
  assert.equal(vlm.info.context, 2048);
  assert.equal(vlm.threads, 4);
  assert.equal(await vlm.memoryBytes(), 4000);
  native.emit("onProgress", { model: number, phase: "weights", loadedBytes: 1, totalBytes: 2 });
  assert.equal(told.length, 6);
});

test("sources are told apart by their addresses", async () => {
  const native = new FakeNative();
  const { TinyVLM } = loadPackage(native);
  for (const source of [
    "asset:models/fastvlm.gguf",
    "content://documents/7",
    "/data/my model.gguf",
    "file:///data/my%20model.gguf",
    "file:///data/100%.gguf",
    "hf:owner/repository@v1/folder/model.gguf",
    new URL("https://example.org/a.gguf"),
  ])
    await TinyVLM.load(source, { hubUrl: "https://hub.example/" });
  const download = { headers: {}, stallTimeout: 20000 };
  assert.deepEqual(
    native.callsOf("load").map(([, source]) => source),
    [
      { kind: "asset", name: "models/fastvlm.gguf" },
      { kind: "content", uri: "content://documents/7" },
      { kind: "file", path: "/data/my model.gguf" },
      { kind: "file", path: "/data/my model.gguf" },
      { kind: "file", path: "/data/100%.gguf" },
      {
        kind: "download",
        url: "https://hub.example/owner/repository/resolve/v1/folder/model.gguf",
        ...download,
      },
      { kind: "download", url: "https://example.org/a.gguf", ...download },
    ],
  );
  await assert.rejects(TinyVLM.load(undefined), code("invalid_argument", /address of a model/));
  await assert.rejects(TinyVLM.load(7), code("invalid_argument", /found number 7/));
  await assert.rejects(TinyVLM.load("model.gguf"), code("invalid_argument", /found model\.gguf/));
  await assert.rejects(TinyVLM.load("hf:owner/repository"), code("unsupported", /checkpoint/));
  await TinyVLM.cache.delete("hf:owner/repository/model.gguf");
  assert.deepEqual(native.callsOf("deleteDownload"), [
    ["https://huggingface.co/owner/repository/resolve/main/model.gguf"],
  ]);
  await assert.rejects(TinyVLM.cache.delete("asset:a"), code("invalid_argument"));
});

test("options that are unknown, or the web's only, are refused with a proposal", async () => {
  const { native, TinyVLM, vlm } = await loaded();
  const rejects = (options, sentence) =>
    assert.rejects(TinyVLM.load(model, options), code("invalid_argument", sentence));
  await rejects({ image_size: 256 }, /unknown option image_size; did you mean imageSize\?/);
  await rejects({ wasmUrl: "/" }, /unknown option wasmUrl/);
  await rejects({ threads: 0 }, /whole number from 1 to 64 for threads/);
  await rejects({ headers: { a: 1 } }, /headers/);
  await rejects({ stallTimeout: 1 }, /stallTimeout/);
  const refuses = (options, sentence) =>
    assert.rejects(vlm.ask(photo, "Hi", options), code("invalid_argument", sentence));
  await refuses({ top_p: 1 }, /unknown option top_p; did you mean topP\?/);
  await refuses({ maxTokens: 0 }, /maxTokens/);
  await refuses({ seed: 2 ** 60 }, /seed of at most 9007199254740991/);
  await refuses({ responseFormat: { choices: ["a"], pattern: "b" } }, /responseFormat: wanted one/);
  await refuses({ responseFormat: { choices: "a" } }, /responseFormat: wanted one/);
  await refuses({ responseFormat: null }, /responseFormat/);
  const circle = {};
  circle.items = circle;
  await refuses({ responseFormat: { schema: circle } }, /a schema that is JSON/);
  assert.throws(() => vlm.chat({ sytem: "" }), code("invalid_argument", /did you mean system/));
  assert.equal(native.callsOf("load").length, 1);
  assert.equal(native.callsOf("ask").length, 0);
});

test("options reach the native side as it takes them", async () => {
  const { native, vlm } = await loaded();
  await vlm.ask(photo, "Hi", {
    maxTokens: 5,
    temperature: undefined,
    stop: ".",
    seed: 7,
    system: "",
    responseFormat: { schema: { type: "string" } },
  });
  const [[, , chat, images, prompt, options]] = native.callsOf("ask");
  assert.deepEqual([chat, images, prompt], [0, [{ uri: photo }], "Hi"]);
  assert.deepEqual(options, {
    maxTokens: 5,
    stop: ["."],
    seed: 7,
    system: "",
    schema: '{"type":"string"}',
    exactPreprocess: false,
    strict: false,
  });
});

test("an answer streams, and is whole when it is awaited", async () => {
  const { native, vlm } = await loaded();
  const stream = vlm.ask({ uri: photo, width: 10 }, "What is this?");
  assert.deepEqual(await piecesOf(stream), native.pieces);
  const answer = await stream;
  assert.equal(answer.text, "A pencil and a ring.");
  assert.equal(answer.finishReason, "stop");
  assert.equal(answer.threads, 4);
  assert.equal(answer.usage.completionTokens, 4);
  assert.equal(answer.timings.visionMs, 2);
  assert(answer.timings.firstTokenMs > 0 && answer.timings.totalMs >= answer.timings.firstTokenMs);
  assert.deepEqual(await piecesOf(stream), native.pieces);
});

test("text that no event brought comes with the end", async () => {
  const { native, vlm } = await loaded();
  const usual = native.onAsk.bind(native);
  native.onAsk = async (question) => {
    native.emit("onText", { question, text: "A pen" });
    return { ...(await usual(question, {})), text: "A pencil." };
  };
  native.pieces = [];
  assert.deepEqual(await piecesOf(vlm.ask(photo, "?")), ["A pen", "cil."]);
});

test("questions wait for each other; events of two models are told apart", async () => {
  const { native, TinyVLM, vlm } = await loaded();
  const other = await TinyVLM.load(model);
  const first = vlm.ask(photo, "1");
  const second = vlm.ask([photo, photo], "2");
  const third = vlm.ask(null, "3");
  await first;
  await Promise.all([second, third]);
  assert.equal(native.crowd, 1);
  assert.deepEqual(
    native.callsOf("ask").map(([, , , , prompt]) => prompt),
    ["1", "2", "3"],
  );

  native.onAsk = async (question, state, chat, images, prompt) => {
    for (const letter of "abc") {
      await sleep(3);
      native.emit("onText", { question, text: prompt + letter });
    }
    return {
      text: ["a", "b", "c"].map((letter) => prompt + letter).join(""),
      finishReason: "stop",
    };
  };
  const [left, right] = await Promise.all([
    piecesOf(vlm.ask(null, "L")),
    piecesOf(other.ask(null, "R")),
  ]);
  assert.equal(native.crowd, 2);
  assert.deepEqual(left, ["La", "Lb", "Lc"]);
  assert.deepEqual(right, ["Ra", "Rb", "Rc"]);
});

test("cancel() in mid-answer keeps the text; what comes later is ignored", async () => {
  const { native, vlm } = await loaded();
  native.pieces = Array(200).fill("word ");
  const stream = vlm.ask(photo, "?");
  const seen = [];
  for await (const piece of stream) {
    seen.push(piece);
    if (seen.length === 3) stream.cancel();
  }
  const answer = await stream;
  assert.equal(answer.finishReason, "cancelled");
  assert.equal(answer.text, seen.join(""));
  assert(answer.text.startsWith("word word word ") && answer.text.length < 200);
  assert.equal(answer.usage.completionTokens, answer.text.length / "word ".length);
  assert(answer.timings.totalMs > 0 && answer.timings.prefillMs === 3);
  const [[question]] = native.callsOf("ask");
  assert.deepEqual(native.callsOf("cancel"), [[question]]);
  native.emit("onText", { question, text: "late" });
  native.emit("onText", { question: 999, text: "of nobody" });
  assert.equal((await piecesOf(stream)).join(""), answer.text);
  stream.cancel();
  assert.equal(native.callsOf("cancel").length, 1);
  native.pieces = ["Yes."];
  assert.equal((await vlm.ask(photo, "Again?")).text, "Yes.");
});

test("break and a signal end the work, too; a signal's question rejects at once", async () => {
  const { native, vlm } = await loaded();
  native.pieces = Array(200).fill("word ");
  for await (const piece of vlm.ask(photo, "?")) {
    assert.equal(piece, "word ");
    break;
  }
  assert.equal(native.callsOf("cancel").length, 1);

  const controller = new AbortController();
  const stream = vlm.ask(photo, "?", { signal: controller.signal });
  const pieces = [];
  const reading = (async () => {
    for await (const piece of stream) pieces.push(piece);
  })();
  while (pieces.length === 0) await sleep(1);
  controller.abort();
  const begun = performance.now();
  await assert.rejects(reading, code("aborted", /the question was cancelled/));
  await assert.rejects(Promise.resolve(stream), { name: "AbortError" });
  assert(performance.now() - begun < 100);
  const before = pieces.length;
  await sleep(30);
  assert.equal(pieces.length, before);
  assert.equal(native.callsOf("cancel").length, 2);
  await assert.rejects(
    vlm.ask(photo, "?", { signal: controller.signal }),
    code("aborted", /cancelled/),
  );
  assert.equal(native.callsOf("ask").length, 2);
});

test("a question that is cancelled while it waits never reaches the native side", async () => {
  const { native, vlm } = await loaded();
  const first = vlm.ask(photo, "1");
  const second = vlm.ask(photo, "2");
  const third = vlm.ask(photo, "3");
  second.cancel();
  const { text, finishReason, usage } = await second;
  assert.deepEqual([text, finishReason, usage.completionTokens], ["", "cancelled", 0]);
  assert.equal((await third).finishReason, "stop");
  assert.equal((await first).finishReason, "stop");
  assert.equal(native.callsOf("ask").length, 2);
  assert.equal(native.callsOf("cancel").length, 0);
});

test("every code of the native side arrives as a TinyVLMError", async () => {
  const { native, vlm, TinyVLMError } = await loaded();
  for (const word of [
    "invalid_argument",
    "not_found",
    "invalid_file",
    "unsupported",
    "out_of_memory",
    "invalid_image",
    "context_full",
    "io",
    "not_ready",
    "internal",
    "network",
    "aborted",
  ]) {
    native.onAsk = async () => {
      throw rejection(word, `a sentence about ${word}`);
    };
    await assert.rejects(vlm.ask(photo, "?"), (error) => {
      assert(error instanceof TinyVLMError);
      assert.equal(error.cause.code, word);
      return code(word, new RegExp(`^a sentence about ${word}$`))(error);
    });
  }
  native.onAsk = async () => {
    throw rejection("E_SOMETHING", "of React Native");
  };
  await assert.rejects(vlm.ask(photo, "?"), code("internal", /of React Native/));
  native.onLoad = async () => {
    throw rejection("http", "wanted a file, found HTTP status 404", { status: 404 });
  };
  const { TinyVLM } = loadPackage(native);
  await assert.rejects(TinyVLM.load(model), (error) => {
    assert.equal(error.status, 404);
    return code("http")(error);
  });
});

test("a load that is aborted rejects at once, and leaves no model behind", async () => {
  const native = new FakeNative();
  native.pace = 20;
  const { TinyVLM } = loadPackage(native);
  const controller = new AbortController();
  const told = [];
  const loading = TinyVLM.load(model, {
    signal: controller.signal,
    onProgress: ({ phase }) => told.push(phase),
  });
  await sleep(30);
  controller.abort();
  await assert.rejects(loading, code("aborted", /loading was cancelled/));
  const before = told.length;
  await sleep(60);
  assert.equal(told.length, before);
  assert.equal(native.callsOf("cancelLoad").length, 1);
  await assert.rejects(TinyVLM.load(model, { signal: controller.signal }), code("aborted"));
  assert.equal(native.callsOf("load").length, 1);

  // The module had loaded it before it heard of the wish.
  const late = new FakeNative();
  late.onLoad = () => sleep(30).then(() => ({ fileBytes: 1, threads: 1 }));
  const again = new AbortController();
  const second = loadPackage(late).TinyVLM.load(model, { signal: again.signal });
  await sleep(5);
  again.abort();
  await assert.rejects(second, code("aborted"));
  await sleep(50);
  assert.deepEqual(late.callsOf("dispose"), late.callsOf("cancelLoad"));
});

test("dispose() ends answers in progress and waiting; later calls say not_ready", async () => {
  const { native, vlm } = await loaded();
  native.pieces = Array(200).fill("word ");
  const first = vlm.ask(photo, "1");
  const second = vlm.ask(photo, "2");
  const iterated = piecesOf(first);
  await sleep(20);
  await Promise.all([
    vlm.dispose(),
    ...[first, second, iterated].map((stream) =>
      assert.rejects(Promise.resolve(stream), code("aborted", /the model was disposed/)),
    ),
  ]);
  await vlm.dispose();
  assert.equal(native.callsOf("dispose").length, 1);
  assert.equal(native.callsOf("ask").length, 1);
  await assert.rejects(vlm.ask(photo, "?"), code("not_ready", /was disposed; load it again/));
  await assert.rejects(vlm.memoryBytes(), code("not_ready"));
});

test("React Native's older AbortController, which keeps no reason, will do", async () => {
  // As its polyfill has it: `abort` takes no argument, signals have no `reason`.
  class Signal extends EventTarget {
    aborted = false;
  }
  class Controller {
    signal = new Signal();
    abort() {
      this.signal.aborted = true;
      this.signal.dispatchEvent(new Event("abort"));
    }
  }
  const { native, vlm } = await loaded();
  native.pieces = Array(200).fill("word ");
  const controller = new Controller();
  const stream = vlm.ask(photo, "?", { signal: controller.signal });
  await sleep(20);
  controller.abort();
  await assert.rejects(Promise.resolve(stream), code("aborted", /the question was cancelled/));
});

test("images cross as addresses, or as base64", async () => {
  const { native, vlm } = await loaded();
  const bytes = Uint8Array.from({ length: 20_000 }, (_, index) => (index * 7) % 256);
  const base64 = Buffer.from(bytes).toString("base64");
  const odd = [1, 2].map((left) => bytes.subarray(0, bytes.length - left));
  const imagesOf = async (image) => {
    await vlm.ask(image, "?");
    return native.callsOf("ask").at(-1)[3];
  };
  assert.deepEqual(
    await imagesOf(["content://media/1", "ph://ABC/L0/001", "/a b.jpg", new URL(photo)]),
    [{ uri: "content://media/1" }, { uri: "ph://ABC/L0/001" }, { uri: "/a b.jpg" }, { uri: photo }],
  );
  assert.deepEqual(await imagesOf([bytes, bytes.buffer, ...odd]), [
    { file: base64 },
    { file: base64 },
    ...odd.map((part) => ({ file: Buffer.from(part).toString("base64") })),
  ]);
  assert.deepEqual(await imagesOf(`data:image/jpeg;base64,${base64}`), [{ file: base64 }]);
  const rgba = Uint8Array.of(1, 2, 3, 255, 4, 5, 6, 255);
  const wanted = { rgba: Buffer.from(rgba).toString("base64"), width: 2, height: 1 };
  assert.deepEqual(await imagesOf({ data: rgba, width: 2, height: 1 }), [wanted]);
  const rgb = new Uint8ClampedArray([1, 2, 3, 4, 5, 6]);
  assert.deepEqual(await imagesOf({ data: rgb, width: 2, height: 1 }), [wanted]);

  const changed = Uint8Array.of(1, 2, 3);
  const stream = vlm.ask(changed, "?");
  changed.fill(0);
  await stream;
  assert.deepEqual(native.callsOf("ask").at(-1)[3], [{ file: "AQID" }]);

  const asked = native.callsOf("ask").length;
  const refuses = (image, sentence, wantedCode = "invalid_argument") =>
    assert.rejects(vlm.ask(image, "?"), code(wantedCode, sentence));
  await refuses(undefined, /found undefined/);
  await refuses([], /an empty list/);
  await refuses(12, /found number 12/);
  await refuses("photo.jpg", /found photo\.jpg/);
  await refuses("data:image/png,abc", /with base64/);
  await refuses({ data: rgb, width: 3, height: 1 }, /wanted 9 \(RGB\) or 12 \(RGBA\) bytes/);
  await refuses({ data: rgb, width: 0, height: 1 }, /1 × 1/, "invalid_image");
  assert.equal(native.callsOf("ask").length, asked);
});

test("images of servers and Blobs are read by React Native's own means", async (context) => {
  // What Node has not: a FileReader.
  globalThis.FileReader = class {
    readAsDataURL(blob) {
      void blob.arrayBuffer().then((buffer) => {
        this.result = `data:${blob.type};base64,${Buffer.from(buffer).toString("base64")}`;
        this.onload();
      });
    }
  };
  const server = createServer((request, response) => {
    if (request.url === "/hang") return;
    response.writeHead(request.url === "/a.png" ? 200 : 404).end(Buffer.from([1, 2, 3]));
  });
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  context.after(() => {
    delete globalThis.FileReader;
    server.closeAllConnections();
    server.close();
  });
  const url = `http://127.0.0.1:${server.address().port}`;
  const { native, vlm } = await loaded();
  await vlm.ask([`${url}/a.png`, new Blob([Uint8Array.of(1, 2, 3)])], "?");
  assert.deepEqual(native.callsOf("ask").at(-1)[3], [{ file: "AQID" }, { file: "AQID" }]);
  await assert.rejects(vlm.ask(`${url}/b.png`, "?"), (error) => {
    assert.deepEqual([error.status, error.url], [404, `${url}/b.png`]);
    return code("http")(error);
  });
  const gone = vlm.ask("http://127.0.0.1:1/a.png", "?");
  await assert.rejects(Promise.resolve(gone), code("network", /cannot be fetched/));

  // One that never comes keeps nobody waiting for long.
  const hanging = vlm.ask(`${url}/hang`, "first");
  assert.equal((await vlm.ask(photo, "second")).text, "A pencil and a ring.");
  hanging.cancel();
  assert.equal((await hanging).finishReason, "cancelled");
});

test("a chat keeps its turns, and gives its images back", async () => {
  const { native, vlm } = await loaded();
  const chat = vlm.chat({ system: "Be short." });
  await chat.ask(photo, "What is this?");
  const [[number, , ...given]] = native.callsOf("openChat");
  assert.deepEqual(given, ["Be short.", []]);
  await Promise.all([chat.ask("And its colour?"), chat.ask([photo, photo], "These?")]);
  assert.deepEqual(
    native
      .callsOf("ask")
      .map(([, , chatNumber, images, prompt]) => [chatNumber, images.length, prompt]),
    [
      [number, 1, "What is this?"],
      [number, 0, "And its colour?"],
      [number, 2, "These?"],
    ],
  );
  assert.deepEqual(
    chat.messages.map(({ role, images }) => [role, images]),
    [
      ["system", 0],
      ["user", 1],
      ["assistant", 0],
      ["user", 0],
      ["assistant", 0],
      ["user", 2],
      ["assistant", 0],
    ],
  );
  await assert.rejects(
    chat.ask("?", { system: "Other." }),
    code("invalid_argument", /when the chat is made/),
  );
  native.onAsk = async () => {
    throw rejection("context_full", "no room");
  };
  await assert.rejects(chat.ask("?"), code("context_full"));
  assert.equal(chat.messages.length, 7);
  native.onAsk = async () => ({ text: "", finishReason: "cancelled" });
  await chat.ask("?");
  assert.equal(chat.messages.length, 7);
  native.onAsk = async () => ({ text: "Half", finishReason: "cancelled" });
  await chat.ask("?");
  assert.equal(chat.messages.at(-1).content, "Half");
  assert.equal(native.callsOf("openChat").length, 1);
  chat.dispose();
  await assert.rejects(chat.ask("?"), code("not_ready", /the chat was disposed/));
  assert.deepEqual(native.callsOf("closeChat"), [[number]]);

  const other = vlm.chat();
  await other.ask("?");
  assert.equal(native.callsOf("openChat").at(-1)[2], null);
  vlm.chat().dispose();
  assert.equal(native.callsOf("openChat").length, 2, "one that nobody asked is not begun");
  assert.equal(native.callsOf("closeChat").length, 1);
});

test("a chat goes on from past messages", async () => {
  const { native, vlm } = await loaded();
  const messages = [
    { role: "user", content: "What is this?", images: [photo, Uint8Array.of(1, 2, 3)] },
    { role: "assistant", content: "A pencil and a ring." },
  ];
  const chat = vlm.chat({ messages });
  assert.deepEqual(chat.messages, [
    { role: "user", content: "What is this?", images: 2 },
    { role: "assistant", content: "A pencil and a ring.", images: 0 },
  ]);
  const begun = () =>
    native.callsOf("openChat").map(([, , , past]) => past.map(({ images }) => images.length));
  assert.deepEqual(begun(), [], "read when a question is asked");

  // What the native side cannot read fails the question, and is tried again with the next.
  native.onOpenChat = async () => {
    throw rejection("io", "the photo is gone");
  };
  await assert.rejects(chat.ask("Is there a ring?"), code("io", /the photo is gone/));
  assert.equal(chat.messages.length, 2);
  native.onOpenChat = async () => {};
  const both = [chat.ask("Is there a ring?"), chat.ask("A cat?")];
  await Promise.all(both);
  assert.deepEqual(begun(), [
    [2, 0],
    [2, 0],
  ]);
  const [number, , system, past] = native.callsOf("openChat").at(-1);
  assert.equal(system, null);
  assert.deepEqual(past, [
    {
      role: "user",
      content: "What is this?",
      images: [{ uri: photo }, { file: "AQID" }],
    },
    { role: "assistant", content: "A pencil and a ring.", images: [] },
  ]);
  assert.deepEqual(
    native.callsOf("ask").map(([, , chatNumber, images]) => [chatNumber, images]),
    [
      [number, []],
      [number, []],
    ],
  );
  assert.equal(chat.messages.length, 6);

  const refuses = (given, sentence) =>
    assert.rejects(
      async () => vlm.chat({ messages: given }).ask("?"),
      code("invalid_argument", sentence),
    );
  await refuses("none", /messages/);
  await refuses([{ role: "user" }], /messages/);
  await refuses([{ role: "system", content: "Be short." }], /messages\[0\]: .*role user/);
  await refuses([{ role: "user", content: "", images: [7] }], /wanted an image/);
});

test("a question that ends while its chat begins leaves the chat to the next", async () => {
  const { native, vlm } = await loaded();
  let begin;
  native.onOpenChat = () => new Promise((resolve) => (begin = resolve));
  const chat = vlm.chat({ system: "" });
  const first = chat.ask(photo, "1");
  while (!begin) await sleep(1);
  first.cancel();
  const { text, finishReason } = await first;
  assert.deepEqual([text, finishReason], ["", "cancelled"]);
  const second = chat.ask("2");
  begin();
  assert.equal((await second).text, "A pencil and a ring.");
  assert.equal(native.callsOf("openChat").length, 1);
  assert.deepEqual(
    native.callsOf("ask").map(([, , , , prompt]) => prompt),
    ["2"],
  );
});

test("answers iterate where Hermes has no Symbol.asyncIterator", async () => {
  const native = new FakeNative();
  const bare = (description) => globalThis.Symbol(description);
  bare.for = globalThis.Symbol.for;
  bare.hasInstance = globalThis.Symbol.hasInstance;
  bare.iterator = globalThis.Symbol.iterator;
  globalThis.bareSymbol = bare;
  const { TinyVLM } = loadPackage(native, { prelude: "const Symbol = globalThis.bareSymbol;" });
  const stream = (await TinyVLM.load(model)).ask(photo, "?");
  const iterator = stream[bare.asyncIterator]();
  const pieces = [];
  for (let next; !(next = await iterator.next()).done;) pieces.push(next.value);
  assert.deepEqual(pieces, native.pieces);
});

test("the bundle has nothing of the web's: workers, import.meta, Node", () => {
  const text = readFileSync(
    join(process.cwd(), "build", "react-native", "dist", "index.js"),
    "utf8",
  );
  assert.doesNotMatch(text, /import\.meta|new Worker|\bimport\(|WebAssembly\.|node:/);
  assert.deepEqual([...text.matchAll(/require\("([^"]*)"\)/g)].map(([, name]) => name).sort(), [
    "react",
    "react-native",
  ]);
});
