// The protocol over a pair of queues instead of a worker.

import assert from "node:assert/strict";
import { test } from "node:test";
import { noCost } from "../src/api/line.js";
import { Channel } from "../src/protocol/channel.js";
import { dispatch, type Handlers } from "../src/protocol/dispatcher.js";
import type { Endpoint, WorkerPort } from "../src/protocol/endpoint.js";
import { TinyVLMError } from "../src/protocol/errors.js";
import type { AskArgs, ToClient, ToWorker } from "../src/protocol/messages.js";

interface Pair {
  endpoint: Endpoint;
  port: WorkerPort;
  die(error: TinyVLMError): void;
  busy: boolean[];
  terminated(): boolean;
}

// Messages are cloned, as a real worker's are.
function pair(): Pair {
  let toClient: (message: ToClient) => void = () => {};
  let toWorker: (message: ToWorker) => void = () => {};
  let onDeath: (error: TinyVLMError) => void = () => {};
  let terminated = false;
  const busy: boolean[] = [];
  return {
    endpoint: {
      post(message, transfer) {
        const copy = structuredClone(message, { transfer });
        queueMicrotask(() => toWorker(copy));
      },
      listen(onMessage, death) {
        toClient = onMessage;
        onDeath = death;
      },
      setBusy: (value) => void busy.push(value),
      async terminate() {
        terminated = true;
      },
    },
    port: {
      post(message) {
        const copy = structuredClone(message);
        queueMicrotask(() => terminated || toClient(copy));
      },
      listen(onMessage) {
        toWorker = onMessage;
      },
    },
    die: (error) => onDeath(error),
    busy,
    terminated: () => terminated,
  };
}

const unused = () => Promise.reject(new Error("not part of this test"));
const handlers = (some: Partial<Handlers>): Handlers => ({
  start: unused,
  load: unused,
  ask: unused,
  embed: unused,
  drawn: unused,
  forget: unused,
  memory: unused,
  ...some,
});
const question: AskArgs = {
  messages: [{ role: "user", content: "?", images: [] }],
  images: [],
  exactPreprocess: false,
  strict: false,
  sampling: {},
  keepImages: false,
};
const answer = {
  imageIds: [],
  warnings: [],
  text: "yes",
  finishReason: "stop" as const,
  ...noCost,
};

test("a call brings its events in order and then its reply", async () => {
  const { endpoint, port, busy } = pair();
  const channel = new Channel(endpoint);
  dispatch(
    port,
    handlers({
      async ask(_, { emit }) {
        for (const piece of ["a", "b", "c"]) emit(piece);
        return answer;
      },
    }),
  );
  await channel.ready;
  const events: unknown[] = [];
  const reply = await channel.call("ask", question, { onEvent: (piece) => events.push(piece) })
    .reply;
  assert.deepEqual(events, ["a", "b", "c"]);
  assert.deepEqual(reply, answer);
  assert.deepEqual(busy, [true, false]);
});

test("calls at the same time get their own replies", async () => {
  const { endpoint, port } = pair();
  const channel = new Channel(endpoint);
  let sum = 0;
  dispatch(port, handlers({ memory: async () => ++sum, ask: async () => answer }));
  const [first, asked, second] = await Promise.all([
    channel.call("memory", undefined).reply,
    channel.call("ask", question).reply,
    channel.call("memory", undefined).reply,
  ]);
  assert.deepEqual([first, asked.text, second], [1, "yes", 2]);
});

test("cancel fires the handler's signal, and only that one's", async () => {
  const { endpoint, port } = pair();
  const channel = new Channel(endpoint);
  dispatch(
    port,
    handlers({
      ask: (_, { signal }) =>
        new Promise((resolve) =>
          signal.addEventListener("abort", () => resolve({ ...answer, text: "ended" })),
        ),
    }),
  );
  const first = channel.call("ask", question);
  const second = channel.call("ask", question);
  second.cancel();
  assert.equal((await second.reply).text, "ended");
  first.cancel();
  assert.equal((await first.reply).text, "ended");
  first.cancel(); // too late: nothing happens
});

test("an error is rebuilt with code, message, status, address and cause", async () => {
  const { endpoint, port } = pair();
  const channel = new Channel(endpoint);
  const thrown = new TinyVLMError("http", "the server answered 404", {
    status: 404,
    url: "http://a/b",
    cause: new TypeError("inner"),
  });
  dispatch(
    port,
    handlers({
      load: () => Promise.reject(thrown),
      memory: () => Promise.reject(new TypeError("a slip")),
    }),
  );
  const error = await channel
    .call("load", {
      sources: [{ kind: "url", url: "" }],
      delivery: {
        cacheKey: undefined,
        cacheBytes: Infinity,
        storage: "",
        headers: {},
        stallTimeout: 1000,
      },
      threads: 1,
      session: {},
      early: false,
      headerOnly: false,
      checkpoint: undefined,
    })
    .reply.catch((reason: unknown) => reason);
  assert(error instanceof TinyVLMError);
  assert.deepEqual(
    [error.code, error.message, error.status, error.url, error.exitCode],
    ["http", "the server answered 404", 404, "http://a/b", 12],
  );
  assert(error.cause instanceof Error);
  assert.deepEqual([error.cause.name, error.cause.message], ["TypeError", "inner"]);
  const slip = await channel.call("memory", undefined).reply.catch((reason: unknown) => reason);
  assert(slip instanceof TinyVLMError);
  assert.equal(slip.code, "internal");
  assert.match(slip.message, /TypeError: a slip/);
});

test("a dead worker rejects everything pending and every later call", async () => {
  const { endpoint, port, die, terminated } = pair();
  const channel = new Channel(endpoint);
  dispatch(
    port,
    handlers({ ask: () => new Promise(() => {}), memory: () => new Promise(() => {}) }),
  );
  const pending = [channel.call("ask", question).reply, channel.call("memory", undefined).reply];
  die(new TinyVLMError("worker", "it is gone"));
  for (const reply of pending)
    await assert.rejects(reply, { code: "worker", message: "it is gone" });
  await assert.rejects(channel.call("memory", undefined).reply, { code: "worker" });
  assert(terminated());
});

test("an engine that is beyond use says so and the worker is ended", async () => {
  const { endpoint, port, terminated } = pair();
  const channel = new Channel(endpoint);
  dispatch(port, handlers({ ask: () => new Promise(() => {}) }));
  const pending = channel.call("ask", question).reply;
  port.post({
    dead: {
      code: "worker",
      message: "trap",
      stack: undefined,
      status: undefined,
      url: undefined,
      cause: undefined,
    },
  });
  await assert.rejects(pending, { code: "worker", message: "trap" });
  assert(terminated());
});

test("a worker that does not start rejects `ready`", async () => {
  const { endpoint, die } = pair();
  const channel = new Channel(endpoint);
  die(new TinyVLMError("worker", "404"));
  await assert.rejects(channel.ready, { code: "worker" });
});

test("arguments that cannot be cloned reject the call, not the program", async () => {
  const { endpoint, port } = pair();
  const channel = new Channel(endpoint);
  dispatch(port, handlers({}));
  const bad = { ...question, prompt: (() => {}) as unknown as string };
  await assert.rejects(channel.call("ask", bad).reply, { code: "invalid_argument" });
  const { reply } = channel.call("ask", bad, { unsendable: "invalid_image" });
  await assert.rejects(reply, { code: "invalid_image" });
});

test("an aborted error is called AbortError", () => {
  assert.equal(new TinyVLMError("aborted", "x").name, "AbortError");
  assert.equal(new TinyVLMError("io", "x").name, "TinyVLMError");
});
