// tiny-vlm/openai, from Request to Response, with a model that tells what it was asked.
// tests-adapters/openai.test.mjs has OpenAI's own client.

import assert from "node:assert/strict";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { mock, test } from "node:test";
import { bytesOfBase64, bytesOfDataUrl } from "../src/adapters/base64.js";
import { openaiFetch, openaiHandler, type OpenAIOptions } from "../src/adapters/openai.js";
import { TinyVLM, TinyVLMError } from "../src/node.js";
import { fakeModel as fakeFile } from "./fake-engine.js";
import { fakeModel, type Asked, type Script } from "./fake-model.js";
import { assertLinear } from "./linear.js";

const url = "https://api.openai.com/v1/chat/completions";
const says = (...pieces: string[]): (() => Script) => {
  return () => ({ pieces });
};

interface Told {
  status: number;
  headers: Headers;
  text: string;
  json: any;
}

// Asks with a body in which only what matters to the test stands.
async function post(
  handle: (request: Request) => Promise<Response>,
  body: object | string,
  path = url,
  headers = {},
): Promise<Told> {
  const given =
    typeof body === "string"
      ? body
      : JSON.stringify({
          model: "fake",
          ...(path === url ? { messages: [{ role: "user", content: "Hi" }] } : {}),
          ...body,
        });
  const response = await handle(new Request(path, { method: "POST", body: given, headers }));
  const text = await response.text();
  const json = response.headers.get("content-type") === "application/json" && JSON.parse(text);
  return { status: response.status, headers: response.headers, text, json };
}

// One question to a model of its own.
async function ask(
  body: object,
  {
    path,
    options,
    script = says("A ", "pear."),
  }: Partial<{
    path: string;
    options: OpenAIOptions;
    script: (asked: Asked) => Script;
  }> = {},
): Promise<Told & { asked: Asked | undefined }> {
  const { model, asked } = fakeModel(script);
  const told = await post(openaiHandler(model, options), body, path);
  assert(
    asked.every(({ disposed }) => disposed),
    "the conversation was not forgotten",
  );
  return { ...told, asked: asked[0] };
}

const png = Buffer.from(Array.from({ length: 64 }, (_, index) => (index * 251 + 137) % 256));
const user = (...content: object[]) => ({ messages: [{ role: "user", content }] });

test("images come in every form that clients send", async () => {
  const base64 = png.toString("base64");
  const urls = [
    `data:image/png;base64,${base64}`,
    `data:image/jpg;base64,${base64}`,
    `data:;base64,${base64}`,
    `DATA:IMAGE/PNG;BASE64,${base64}`,
    `data:image/png;charset=utf-8;base64,${base64.replaceAll(/(.{8})/g, "$1\r\n")}`,
    `data:image/png;base64,${png.toString("base64url")}`,
    `data:image/png;base64,${encodeURIComponent(base64)}`,
    base64,
  ];
  const parts = urls.flatMap((address) => [
    { type: "image_url", image_url: { url: address, detail: "original" } },
    { type: "image_url", image_url: address },
    { type: "input_image", image_url: address, detail: "high" },
  ]);
  const { asked, status, text } = await ask(user(...parts));
  assert.equal(status, 200, text);
  assert.equal(asked!.images.length, parts.length);
  for (const image of asked!.images) assert.deepEqual(Buffer.from(image as Uint8Array), png);
  const svg = "DATA:image/svg+xml,%3Csvg/%3E";
  const http = "HTTPS://example.com/a b.png";
  const others = [svg, http].map((address) => ({
    type: "image_url",
    image_url: { url: address },
  }));
  const told = await ask(user(...others), { options: { fetchImages: true } });
  assert.deepEqual(told.asked!.images, [
    "data:image/svg+xml,%3Csvg/%3E",
    "https://example.com/a%20b.png",
  ]);
});

test("a million letters that are nearly base64 are refused at once", async () => {
  const letters = "A".repeat(24);
  for (const address of [
    `${letters}${" ".repeat(1e6)}!`,
    `${letters}${"=".repeat(1e6)}!`,
    `data:;base64,${letters}${"=".repeat(1e6)}!`,
  ]) {
    const begun = performance.now();
    const { status } = await ask(user({ type: "input_image", image_url: address }));
    assert.equal(status, 400);
    // A second of a quiet machine is ample; quadratic time takes minutes.
    assert.ok(performance.now() - begun < 20_000, address.slice(0, 40));
  }
});

test("no address makes the server read or fetch what it should not", async () => {
  const image = (address: unknown) => user({ type: "image_url", image_url: { url: address } });
  for (const address of [
    ...[
      "/etc/passwd",
      "./a.png",
      "C:\\a.png",
      "file:///etc/passwd",
      "blob:https://a/b",
      "",
      7,
      null,
    ],
    ...[
      "hf:owner/repository/file",
      "http://",
      "data:image/png;base64,$$$$",
      "data:image/png,%E0%A4",
    ],
  ]) {
    const { status, json, asked } = await ask(image(address), { options: { fetchImages: true } });
    if (address === "data:image/png,%E0%A4") continue; // the SDK's business
    assert.equal(status, 400, String(address));
    assert.equal(json.error.type, "invalid_request_error");
    assert.match(json.error.param, /^messages\[0\]\.content\[0\]\.image_url/);
    assert.equal(asked, undefined);
  }
  const remote = image("http://169.254.169.254/latest");
  const refused = await ask(remote);
  assert.equal(refused.json.error.code, "invalid_image_url");
  const fetchImages = ({ hostname }: URL) => hostname === "example.com";
  assert.equal((await ask(remote, { options: { fetchImages } })).status, 400);
});

test("an address that is allowed does not redirect to one that is not", async () => {
  const asked: string[] = [];
  const answers: Record<string, [number, string?]> = {
    "/image": [200],
    "/there": [302, "/image"],
    "/out": [302, "/there-too"],
    "/there-too": [307, "http://169.254.169.254/latest"],
    "/file": [301, "file:///etc/passwd"],
    "/round": [308, "/round"],
    "/missing": [404],
  };
  const server = createServer(({ url = "" }, response) => {
    asked.push(url);
    const [status, location] = answers[url]!;
    response.writeHead(status, location === undefined ? {} : { location }).end("image");
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  const allowed = `127.0.0.1:${port}`;
  const fetchImages = ({ host }: URL) => host === allowed;
  const askFor = (path: string) =>
    ask(user({ type: "image_url", image_url: { url: `http://${allowed}${path}` } }), {
      options: { fetchImages },
    });
  try {
    for (const path of ["/image", "/there"]) {
      const { status, asked: question, text } = await askFor(path);
      assert.equal(status, 200, text);
      assert.equal(Buffer.from(question!.images[0] as Uint8Array).toString(), "image");
    }
    for (const [path, message] of [
      ["/out", /redirects to an address from which this server does not fetch/],
      ["/file", /redirects to an address from which this server does not fetch/],
      ["/round", /redirects more than 20 times/],
      ["/missing", /the server answered 404/],
    ] as const) {
      const { status, json, asked: question } = await askFor(path);
      assert.equal(status, 400);
      assert.equal(json.error.code, "invalid_image_url");
      assert.equal(json.error.param, "messages");
      assert.match(json.error.message, message);
      assert.equal(question, undefined);
    }
    assert.equal(asked.filter((path) => path === "/round").length, 21);
  } finally {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  }
});

test("no address takes a server longer than its length", async () => {
  const hostile: ((size: number) => string)[] = [
    (size) => `${"A".repeat(24)}${" ".repeat(size)}!`,
    (size) => `${"A".repeat(24)}${"=".repeat(size)}A`,
    (size) => `data:image/png;base64,${"=".repeat(size)}A`,
    (size) => `data:image/png;base64,A${" =".repeat(size)}$`,
    (size) => `data:${";".repeat(size)}`,
    (size) => `data:${"; base64 ".repeat(size)}`,
    (size) => `data:image/png;${" ".repeat(size)}base64`,
  ];
  for (const address of hostile) {
    assertLinear(JSON.stringify(address(3)), (size) => {
      try {
        bytesOfDataUrl(address(size), "an image");
        bytesOfBase64(address(size), "an image");
      } catch (reason) {
        assert(reason instanceof TinyVLMError);
      }
    });
    // Whatever comes of it.
    await ask(user({ type: "image_url", image_url: { url: address(1_000_000) } }));
  }
});

test("messages: roles, parts, history", async () => {
  const { asked } = await ask({
    messages: [
      { role: "system", content: "One." },
      { role: "assistant", content: "Hello!" },
      {
        role: "user",
        content: [
          { type: "text", text: "a" },
          { type: "text", text: "b" },
        ],
      },
      { role: "user", content: "c", name: "me" },
      { role: "developer", content: [{ type: "text", text: "Two." }] },
      { role: "assistant", content: null, refusal: "No.", tool_calls: [] },
      { role: "user", content: "d" },
    ],
  });
  assert.equal(asked!.system, "One.\n\nTwo.");
  assert.equal(asked!.question, "d");
  assert.deepEqual(
    asked!.messages!.map(({ role, content }) => `${role}: ${content}`),
    ["user: ", "assistant: Hello!", "user: a\nb\n\nc", "assistant: No."],
  );
  const wrong: [unknown, RegExp][] = [
    [[], /'messages': wanted a list/],
    ["Hi", /'messages': wanted a list/],
    [
      [{ role: "user" }],
      /messages\[0\]\.content': wanted a string or a list of parts, found nothing/,
    ],
    [[{ role: "user", content: null }], /messages\[0\]\.content/],
    [[{ role: "king", content: "" }], /messages\[0\]\.role': wanted system, developer/],
    [[{ role: "constructor", content: "" }], /messages\[0\]\.role/],
    [[{ role: "tool", content: "" }], /messages\[0\]' is tool: this model calls no tools/],
    [[{ role: "user", content: [{ type: "input_audio" }] }], /found one of type input_audio/],
    [[{ role: "user", content: [{ type: "file", file: {} }] }], /found one of type file/],
    [[{ role: "user", content: [{ type: "text" }] }], /content\[0\]\.text': wanted a string/],
    [[{ role: "user", content: ["a"] }], /content\[0\]': wanted a part/],
    [[{ role: "user", content: [{ type: "input_image", file_id: "f" }] }], /uploaded file/],
    [[{ role: "assistant", content: "a" }], /ends with the assistant's/],
    [[{ role: "system", content: "a" }], /found no message/],
    [
      [
        { role: "assistant", content: null, tool_calls: [{}] },
        { role: "user", content: "a" },
      ],
      /with tool_calls: this model calls no tools/,
    ],
    [
      [{ role: "system", content: [{ type: "image_url", image_url: "data:;base64,AAAA" }] }],
      /images in messages of the user, found one in a message of the system/,
    ],
  ];
  for (const [messages, message] of wrong) {
    const { status, json } = await ask({ messages });
    assert.equal(status, 400);
    assert.match(json.error.message, message);
    assert.deepEqual(Object.keys(json.error), ["message", "type", "param", "code"]);
  }
});

test("parameters become options; what is missing is the model's own", async () => {
  const all = await ask({
    ...{ max_completion_tokens: 9, max_tokens: 9, temperature: 0.5, top_p: 0.9, seed: -1 },
    ...{ frequency_penalty: 1, presence_penalty: -1, stop: ["a", "b"], n: 1, stream: false },
    ...{ top_k: 5, min_p: 0.1, repetition_penalty: 1.1, no_repeat_ngram_size: 3 },
    ...{ user: "me", metadata: {}, store: true, service_tier: "auto", logit_bias: {}, tools: [] },
    ...{ tool_choice: "auto", modalities: ["text"], logprobs: false, parallel_tool_calls: true },
    ...{ response_format: { type: "text" }, reasoning_effort: null, functions: null },
  });
  assert.equal(all.status, 200, all.text);
  const { signal, ...options } = all.asked!.options;
  assert(signal instanceof AbortSignal);
  assert.deepEqual(options, {
    ...{ maxTokens: 9, temperature: 0.5, topP: 0.9, topK: 5, minP: 0.1, repetitionPenalty: 1.1 },
    ...{ noRepeatNgram: 3, frequencyPenalty: 1, presencePenalty: -1, stop: ["a", "b"] },
    seed: 2 ** 53 - 1,
  });
  const none = (await ask({ temperature: null, stop: [], max_tokens: null })).asked!.options;
  assert.deepEqual({ ...none, signal: undefined }, { maxTokens: 64, signal: undefined });
  const defaults = { maxTokens: 7, temperature: 1, topK: 3 };
  const given = (await ask({ temperature: 0 }, { options: { defaults } })).asked!.options;
  assert.deepEqual([given.maxTokens, given.temperature, given.topK], [7, 0, 3]);
  const seeds = [1, 2, 3].map(async () => (await ask({ temperature: 1 })).asked!.options.seed);
  assert.equal(new Set(await Promise.all(seeds)).size, 3);
});

test("values out of range, unknown and unsupported parameters are refused by name", async () => {
  const cases: [object, string, string][] = [
    [{ max_tokens: 0 }, "max_tokens", "invalid_value"],
    [{ max_tokens: -1 }, "max_tokens", "invalid_value"],
    [{ max_tokens: 1.5 }, "max_tokens", "invalid_value"],
    [{ max_completion_tokens: "9" }, "max_completion_tokens", "invalid_value"],
    [{ max_tokens: 1, max_completion_tokens: 2 }, "max_tokens", "invalid_value"],
    [{ temperature: 2.1 }, "temperature", "invalid_value"],
    [{ top_p: -0.1 }, "top_p", "invalid_value"],
    [{ presence_penalty: 3 }, "presence_penalty", "invalid_value"],
    [{ seed: 0.5 }, "seed", "invalid_value"],
    [{ stop: [1] }, "stop", "invalid_value"],
    [{ stop: "" }, "stop", "invalid_value"],
    [{ stream: "yes" }, "stream", "invalid_value"],
    [{ stream_options: {} }, "stream_options", "invalid_value"],
    [{ n: 2 }, "n", "unsupported_parameter"],
    [{ tools: [{}] }, "tools", "unsupported_parameter"],
    [{ tool_choice: "required" }, "tool_choice", "unsupported_parameter"],
    [{ functions: [{}] }, "functions", "unsupported_parameter"],
    [{ logit_bias: { 1: 2 } }, "logit_bias", "unsupported_parameter"],
    [{ modalities: ["text", "audio"] }, "modalities", "unsupported_parameter"],
    [{ reasoning_effort: "high" }, "reasoning_effort", "unsupported_parameter"],
    [{ top_logprobs: 1 }, "top_logprobs", "invalid_value"],
    [{ logprobs: true, top_logprobs: 21 }, "top_logprobs", "invalid_value"],
    [{ response_format: { type: "xml" } }, "response_format.type", "invalid_value"],
    [{ response_format: { type: "json_schema" } }, "response_format", "invalid_value"],
    [{ temprature: 1 }, "temprature", "unknown_parameter"],
    [{ constructor: 1 }, "constructor", "unknown_parameter"],
  ];
  for (const [body, param, code] of cases)
    for (const stream of "stream" in body || "stream_options" in body
      ? [{}]
      : [{}, { stream: true }]) {
      const { status, json, headers, asked } = await ask({ ...body, ...stream });
      assert.equal(asked, undefined);
      assert.deepEqual([status, json.error.param, json.error.code], [400, param, code]);
      assert.equal(headers.get("x-should-retry"), "false");
    }
  assert.match((await ask({ temprature: 1 })).json.error.message, /did you mean temperature/);
});

test("what the model refuses has the request's parameter and a status", async () => {
  const vlm = await TinyVLM.load(fakeFile(1000), { threads: 1 });
  const handle = openaiHandler(vlm);
  const asks = (content: string, more = {}) =>
    post(handle, { messages: [{ role: "user", content }], ...more });
  for (const [question, status, type, param, code] of [
    ["fail 7", 400, "invalid_request_error", "messages", "context_length_exceeded"],
    ["fail 6", 400, "invalid_request_error", "messages", "invalid_image"],
    ["fail 4", 400, "invalid_request_error", null, "unsupported"],
    ["fail 5", 503, "server_error", null, "out_of_memory"],
    ["fail 10", 500, "server_error", null, "internal"],
  ] as const)
    for (const stream of [false, true]) {
      const { json, ...told } = await asks(question, { stream });
      const { message, ...error } = json.error;
      assert.deepEqual([told.status, error], [status, { type, param, code }]);
      assert.match(message, /failed as asked/);
    }
  // This engine takes no schemas yet, or the schema is one that it does not take.
  const { fake } = {
    fake: openaiHandler(
      fakeModel(() => {
        throw new TinyVLMError(
          "invalid_argument",
          "wanted a schema for responseFormat, found none",
        );
      }).model,
    ),
  };
  const refused = await post(fake, { response_format: { type: "json_object" } });
  assert.deepEqual(
    [refused.status, refused.json.error.param, refused.json.error.code],
    [400, "response_format", "invalid_argument"],
  );
  const first = await asks("count 3");
  assert.equal(first.json.choices[0].message.content, "0 1 2 ");
  await vlm.dispose();
  assert.equal((await asks("count 3")).status, 503);
});

test("formats and probabilities go to the model and come back", async () => {
  const schema = { type: "object", properties: { a: { type: "number" } } };
  const format = async (response_format: object) =>
    (await ask({ response_format })).asked!.options.responseFormat;
  assert.deepEqual(await format({ type: "json_object" }), { schema: { type: "object" } });
  assert.deepEqual(
    await format({ type: "json_schema", json_schema: { name: "n", strict: true, schema } }),
    { schema },
  );
  const token = (text: string, logprob: number) => ({
    text,
    bytes: new TextEncoder().encode(text),
    logprob,
  });
  const logprobs = [{ ...token("A", -0.5), top: [token("A", -0.5), token("B", -1)] }];
  const script = () => ({ pieces: ["A"], answer: { logprobs } });
  const whole = await ask({ logprobs: true, top_logprobs: 2 }, { script });
  assert.equal(whole.asked!.options.logprobs, 2);
  const content = [
    {
      ...{ token: "A", logprob: -0.5, bytes: [65] },
      top_logprobs: [
        { token: "A", logprob: -0.5, bytes: [65] },
        { token: "B", logprob: -1, bytes: [66] },
      ],
    },
  ];
  assert.deepEqual(whole.json.choices[0].logprobs, { content, refusal: null });
  const { text, asked } = await ask({ logprobs: true, stream: true }, { script });
  assert.equal(asked!.options.logprobs, 0);
  assert.deepEqual(events(text).at(-1).choices[0].logprobs.content, content);
  const path = "http://localhost/v1/responses";
  const response = await ask(
    { input: "Hi", include: ["message.output_text.logprobs"], top_logprobs: 2 },
    { path, script },
  );
  assert.deepEqual(response.json.output[0].content[0].logprobs, content);
  const withSchema = { input: "Hi", text: { format: { type: "json_schema", name: "n", schema } } };
  assert.deepEqual((await ask(withSchema, { path })).asked!.options.responseFormat, { schema });
});

// The JSON of a stream's events, [DONE] left out.
function events(text: string): any[] {
  return text
    .split("\n\n")
    .filter((event) => event !== "" && event !== "data: [DONE]" && !event.startsWith(":"))
    .map((event) => JSON.parse(event.replace(/^(event: .*\n)?data: /, "")));
}

test("a stream has its chunks, and an error in it is an event", async () => {
  const { text, headers } = await ask({ stream: true });
  assert.match(headers.get("content-type")!, /^text\/event-stream/);
  assert(text.endsWith("data: [DONE]\n\n"));
  const chunks = events(text);
  assert.deepEqual(
    chunks.map(({ choices: [{ delta, finish_reason: reason }] }) => [delta, reason]),
    [
      [{ role: "assistant", content: "", refusal: null }, null],
      [{ content: "A " }, null],
      [{ content: "pear." }, null],
      [{}, "stop"],
    ],
  );
  assert.equal(new Set(chunks.map(({ id, created }) => `${id} ${created}`)).size, 1);
  const cut = await ask(
    { stream: true },
    { script: () => ({ pieces: ["A"], answer: { finishReason: "length" } }) },
  );
  assert.equal(events(cut.text).at(-1).choices[0].finish_reason, "length");
  const silent = await ask({ stream: true }, { script: says() });
  assert.equal(events(silent.text).length, 2);
  async function* fails() {
    yield "A ";
    throw new TinyVLMError("worker", "the worker died");
  }
  const script = () => ({ pieces: fails() });
  const failed = await ask({ stream: true }, { script });
  assert.equal(failed.status, 200);
  assert.deepEqual(events(failed.text).at(-1), {
    error: { message: "the worker died", type: "server_error", param: null, code: "worker" },
  });
  assert(!failed.text.includes("[DONE]"));
  const response = await ask(
    { input: "Hi", stream: true },
    { path: "http://localhost/v1/responses", script },
  );
  const last = events(response.text).at(-1);
  assert.deepEqual([last.type, last.code, last.message], ["error", "worker", "the worker died"]);
  assert.deepEqual(
    events(response.text).map(({ sequence_number: number }) => number),
    events(response.text).map((_, index) => index),
  );
});

test("long silence is filled with comments, after headers with status 200", async () => {
  mock.timers.enable({ apis: ["setTimeout"] });
  try {
    let speak!: () => void;
    const silence = new Promise<void>((resolve) => {
      speak = resolve;
    });
    async function* late() {
      await silence;
      yield "A";
    }
    const { model } = fakeModel(() => ({ pieces: late() }));
    const body = JSON.stringify({
      model: "fake",
      messages: [{ role: "user", content: "Hi" }],
      stream: true,
    });
    const responding = openaiHandler(model)(new Request(url, { method: "POST", body }));
    const tick = async () => {
      for (let turn = 0; turn < 20; turn++) await Promise.resolve();
      await new Promise(setImmediate);
      mock.timers.tick(10_000);
    };
    await tick();
    const response = await responding;
    assert.equal(response.status, 200);
    const reader = response.body!.pipeThrough(new TextDecoderStream()).getReader();
    const comment = reader.read();
    await tick();
    assert.equal((await comment).value, ": keep-alive\n\n");
    speak();
    let rest = "";
    for (let read = await reader.read(); !read.done; read = await reader.read()) rest += read.value;
    assert.equal(events(rest).length, 3);
  } finally {
    mock.timers.reset();
  }
});

test("who goes away ends the work; an aborted fetch rejects with the signal's reason", async () => {
  async function* endless() {
    for (;;) {
      await new Promise(setImmediate);
      yield "on ";
    }
  }
  const script = () => ({ pieces: endless() });
  const body = { model: "fake", messages: [{ role: "user", content: "Hi" }] };
  const init = { method: "POST", body: JSON.stringify({ ...body, stream: true }) };
  const left = fakeModel(script);
  const response = await openaiHandler(left.model)(new Request(url, init));
  const reader = response.body!.getReader();
  await reader.read();
  await reader.cancel();
  await new Promise(setImmediate);
  assert.deepEqual([left.asked[0]!.cancelled, left.asked[0]!.disposed], [true, true]);
  for (const stream of [true, false]) {
    const { model, asked } = fakeModel(script);
    const controller = new AbortController();
    const options = { method: "POST", body: JSON.stringify({ ...body, stream }) };
    const fetching = openaiFetch(model)(url, { ...options, signal: controller.signal });
    const reason = new Error("enough");
    setTimeout(() => controller.abort(reason), 20);
    await assert.rejects(stream ? (await fetching).text() : fetching, reason);
    assert(asked[0]!.disposed);
    await assert.rejects(
      openaiFetch(model)(url, { ...options, signal: controller.signal }),
      reason,
    );
    assert.equal(asked.length, 1);
  }
});

test("paths, methods, models and CORS", async () => {
  const { model } = fakeModel(says("A"));
  const handle = openaiHandler(model, { models: ["a", "b/c"], cors: true });
  const get = async (path: string, method = "GET") => {
    const response = await handle(new Request(`http://localhost${path}`, { method }));
    return { status: response.status, json: (await response.json()) as any };
  };
  const list = await get("/v1/models");
  assert.deepEqual(
    list.json.data.map(({ id }: { id: string }) => id),
    ["a", "b/c"],
  );
  assert.equal((await get("/v1/models/b%2Fc")).json.id, "b/c");
  for (const [path, method, status] of [
    ["/v1/models/d", "GET", 404],
    ["/v1/embeddings", "POST", 404],
    ["/", "GET", 404],
    ["/v1/chat/completions", "GET", 405],
    ["/v1/models", "POST", 405],
  ] as const) {
    const told = await get(path, method);
    assert.deepEqual([told.status, told.json.error.type], [status, "invalid_request_error"]);
  }
  for (const path of ["http://h/chat/completions", "http://h/proxy/v1/chat/completions/?a=b"])
    assert.equal(
      (await post(handle, { model: "a", messages: [{ role: "user", content: "" }] }, path)).status,
      200,
    );
  assert.equal((await post(handle, { model: "fake" })).json.error.code, "model_not_found");
  assert.equal((await post(handle, { model: null })).json.error.param, "model");
  for (const wrong of ["{", "[]", "7", ""]) assert.equal((await post(handle, wrong)).status, 400);
  const open = await post(handle, { model: "a" }, url, { origin: "https://x.example" });
  assert.equal(open.headers.get("access-control-allow-origin"), "*");
  const some = openaiHandler(model, { cors: ["https://x.example"] });
  for (const [origin, allowed] of [
    ["https://x.example", "https://x.example"],
    ["https://y.example", null],
  ] as const) {
    const { headers } = await post(some, {}, url, { origin });
    assert.deepEqual(
      [headers.get("access-control-allow-origin"), headers.get("vary")],
      [allowed, "Origin"],
    );
  }
  const { headers } = await post(openaiHandler(model), {}, url, { origin: "https://x.example" });
  assert.equal(headers.get("access-control-allow-origin"), null);
});

test("responses: what is read, and what would need a memory", async () => {
  const path = "http://localhost/v1/responses";
  const input = [
    { type: "message", role: "user", content: [{ type: "input_text", text: "a" }] },
    { id: "msg_1", role: "assistant", content: [{ type: "output_text", text: "b" }] },
    { role: "user", content: "c" },
  ];
  const more = {
    max_output_tokens: 5,
    temperature: 0,
    top_p: 1,
    store: false,
    truncation: "disabled",
  };
  const { asked, json } = await ask({ input, instructions: "Brief.", ...more }, { path });
  assert.deepEqual(
    [asked!.system, asked!.question, asked!.options.maxTokens, json.output[0].content[0].text],
    ["Brief.", "c", 5, "A pear."],
  );
  assert.deepEqual(json.usage, {
    input_tokens: 20,
    input_tokens_details: { cached_tokens: 5 },
    output_tokens: 3,
    output_tokens_details: { reasoning_tokens: 0 },
    total_tokens: 23,
  });
  for (const [body, param] of [
    [{ previous_response_id: "r" }, "previous_response_id"],
    [{ conversation: "c" }, "conversation"],
    [{ background: true }, "background"],
    [{ truncation: "auto" }, "truncation"],
    [{ reasoning: { effort: "low" } }, "reasoning"],
    [{ tools: [{ type: "web_search" }] }, "tools"],
    [{ text: { verbosity: "low" } }, "verbosity"],
    [{ stop: "a" }, "stop"],
    [{ max_output_tokens: 0 }, "max_output_tokens"],
    [{ input: [{ type: "function_call_output", output: "" }] }, "input[0]"],
    [{ input: undefined }, "input"],
  ] as const) {
    const told = await ask({ input: "Hi", ...body }, { path });
    assert.deepEqual([told.status, told.json.error.param], [400, param]);
  }
});
