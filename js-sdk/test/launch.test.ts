// Which builds are started, and which are not tried again. The first half asks the worker's side
// with engines that fail in every way; the second half asks launch, over a worker that only tells
// what it was asked to start. What launch remembers lasts as long as the process: this file's
// tests depend on their order.

import assert from "node:assert/strict";
import { mock, test } from "node:test";
import { launch } from "../src/api/launch.js";
import type { Platform, WorkerKind } from "../src/api/platform.js";
import type { Endpoint } from "../src/protocol/endpoint.js";
import type { StartReply, ToClient } from "../src/protocol/messages.js";
import { isThreaded, variants, type Variant } from "../src/protocol/values.js";
import { reasonAgainst } from "../src/runtime/features.js";
import { compileBytes, type EngineFactory, type ModuleOptions } from "../src/runtime/module.js";
import { chooseEngine } from "../src/runtime/variants.js";
import createFake, { fakeWasm } from "./fake-engine.js";

const moduleOptions: ModuleOptions = { threads: 2, script: "unused", onAbort: assert.fail };
const choose = (variant: Variant, factory: EngineFactory, wasm = fakeWasm("")) =>
  chooseEngine([variant], { [variant]: factory }, () => compileBytes(wasm, "fake"), true, {
    ...moduleOptions,
  });

test("an engine that fails its self-test or does not compile is rejected permanently", async () => {
  const wrong = await choose("simd", createFake, fakeWasm("self-test fails"));
  assert.equal(wrong.chosen, undefined);
  assert.deepEqual(wrong.rejected, [
    {
      variant: "simd",
      reason: "its self-test failed: 2 + 2 wanted 4, found 5",
      permanent: true,
    },
  ]);
  // A section number that WebAssembly does not have.
  const [uncompiled] = (await choose("simd", createFake, Uint8Array.of(...fakeWasm(""), 99, 0)))
    .rejected;
  assert.deepEqual([uncompiled?.variant, uncompiled?.permanent], ["simd", true]);
});

test("slow threads and a failing start are rejected this time only", async () => {
  mock.timers.enable({ apis: ["setTimeout"] });
  try {
    let waiting!: () => void;
    const waits = new Promise<void>((resolve) => {
      waiting = resolve;
    });
    const slow = choose("simd-mt", () => {
      waiting();
      return new Promise(() => {});
    });
    await waits;
    mock.timers.tick(15_000);
    assert.deepEqual(await slow, {
      chosen: undefined,
      rejected: [
        {
          variant: "simd-mt",
          reason: "its threads did not start within 15 s",
          permanent: false,
        },
      ],
    });
  } finally {
    mock.timers.reset();
  }
  const failing = () => Promise.reject(new Error("not today"));
  assert.deepEqual((await choose("simd", failing)).rejected, [
    { variant: "simd", reason: "Error: not today", permanent: false },
  ]);
});

// What a worker was asked to start, and what it replies.
interface Attempt {
  kind: WorkerKind;
  tried: Variant[];
}

function platformOf(reply: (attempt: Attempt) => StartReply): {
  platform: Platform;
  attempts: Attempt[];
} {
  const attempts: Attempt[] = [];
  const spawn = (kind: WorkerKind): Endpoint => {
    let toClient: (message: ToClient) => void = () => {};
    return {
      listen(onMessage) {
        toClient = onMessage;
        queueMicrotask(() => onMessage({ ready: true }));
      },
      post(message) {
        if (!("call" in message)) return;
        const attempt = { kind, tried: (message.args as { variants: Variant[] }).variants };
        attempts.push(attempt);
        queueMicrotask(() => toClient({ id: message.id, reply: reply(attempt) }));
      },
      setBusy() {},
      terminate: async () => {},
    };
  };
  const platform: Platform = {
    workerFiles: { single: "single.mjs", threaded: "threaded.mjs" },
    reasonAgainstThreads: () => undefined,
    defaultThreads: () => 2,
    spawn: async (kind) => ({ endpoint: spawn(kind), script: undefined }),
    file: (name) => `file:///${name}`,
    demoModel: () => assert.fail("no model is loaded here"),
    missingFileHint: "a hint",
    hubUrl: () => assert.fail("no model is loaded here"),
    absoluteUrl: String,
    blobOf: () => assert.fail("no model is loaded here"),
    folder: () => undefined,
    storage: () => "",
    converter: () => assert.fail("no checkpoint is loaded here"),
    named: () => assert.fail("no model is loaded here"),
    pageImage: () => undefined,
    drawFile: () => assert.fail("no image is drawn here"),
  };
  return { platform, attempts };
}

const rejectAll = (tried: Variant[], permanent: boolean): StartReply => ({
  started: undefined,
  rejected: tried.map((variant) => ({ variant, reason: "a reason", permanent })),
});
const startFirst = ({ tried }: Attempt): StartReply => ({
  started: { variant: tried[0]!, threads: 2 },
  rejected: [],
});
const threaded = variants.filter(isThreaded);
const single = variants.filter((variant) => !isThreaded(variant));

test("a slow start of threads does not keep the next load from trying them", async () => {
  const slow = platformOf((attempt) =>
    attempt.kind === "threaded" ? rejectAll(attempt.tried, false) : startFirst(attempt),
  );
  assert.equal((await launch(slow.platform, {})).started.variant, single[0]);
  const next = platformOf(startFirst);
  assert.equal((await launch(next.platform, {})).started.variant, threaded[0]);
  assert.deepEqual(next.attempts, [{ kind: "threaded", tried: threaded }]);
});

test("a permanent rejection under another address of the files is not kept", async () => {
  const elsewhere = platformOf(({ tried }) => rejectAll(tried, true));
  await assert.rejects(launch(elsewhere.platform, { wasmUrl: "https://example.com/" }), {
    code: "unsupported",
  });
  const next = platformOf(startFirst);
  assert.equal((await launch(next.platform, {})).started.variant, threaded[0]);
});

test("a build that is rejected permanently is not tried again", async () => {
  const partly = platformOf(({ tried }) => ({
    started: { variant: tried[1]!, threads: 2 },
    rejected: [{ variant: tried[0]!, reason: "a reason", permanent: true }],
  }));
  assert.equal((await launch(partly.platform, {})).started.variant, threaded[1]);
  const next = platformOf((attempt) =>
    attempt.kind === "threaded" ? rejectAll(attempt.tried, true) : startFirst(attempt),
  );
  assert.equal((await launch(next.platform, {})).started.variant, single[0]);
  const last = platformOf(({ tried }) => rejectAll(tried, true));
  await assert.rejects(launch(last.platform, {}), { code: "unsupported" });
  assert.deepEqual(
    [...next.attempts, ...last.attempts],
    [
      { kind: "threaded", tried: threaded.slice(1) },
      { kind: "single", tried: single },
      { kind: "single", tried: single },
    ],
  );
  const allOfThem = variants.map((variant) => `${variant}: a reason`).join("; ");
  await assert.rejects(launch(last.platform, {}), {
    code: "unsupported",
    message: `the engine cannot run here: ${allOfThem}`,
  });
  assert.equal(last.attempts.length, 1);
});

test("a wasm file that cannot be read ends in an error that says what to do about it", async () => {
  const error = {
    code: "http",
    message: "wanted the engine at file:///simd.wasm, the server answered 404",
    stack: undefined,
    status: 404,
    url: "file:///simd.wasm",
    cause: undefined,
  } as const;
  const missing = platformOf(() => assert.fail("it is answered with an error"));
  const { spawn } = missing.platform;
  missing.platform.spawn = async (...args) => {
    const { endpoint, script } = await spawn(...args);
    let toClient: (message: ToClient) => void = () => {};
    const failing: Endpoint = {
      ...endpoint,
      listen(onMessage, onDeath) {
        toClient = onMessage;
        endpoint.listen(onMessage, onDeath);
      },
      post(message) {
        if ("call" in message) queueMicrotask(() => toClient({ id: message.id, error }));
      },
    };
    return { endpoint: failing, script };
  };
  await assert.rejects(launch(missing.platform, { variant: "simd" }), {
    code: "http",
    status: 404,
    message: `${error.message}; a hint`,
  });
});

test("what this test takes for granted: plain SIMD and threads in this Node", () => {
  for (const variant of ["simd", "simd-mt"] as const)
    assert.equal(reasonAgainst(variant, true), undefined);
});
