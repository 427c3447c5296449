// The state behind tiny-vlm/react's hook, with the fake engine. tests-adapters/react.test.mjs has
// React itself.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { ModelState } from "../src/adapters/react/model-state.js";
import type { Shown } from "../src/adapters/react/shown.js";
import { fakeModel } from "./fake-engine.js";
import { startFaultyServer } from "./faulty-server.mjs";
import { serveFiles, type FileServer } from "./file-server.js";

let server: FileServer;
before(async () => {
  server = await serveFiles({ model: fakeModel(300_000) });
});
after(() => server.close());

const file = fakeModel(1000);
const options = { threads: 1, cache: false };

// A state with all that it has shown.
function watched(source: Uint8Array | string = file, more = {}) {
  const state = new ModelState(source, { ...options, ...more });
  const seen: Shown[] = [];
  state.subscribe(() => seen.push(state.snapshot()));
  return { state, seen };
}

async function until(state: ModelState, holds: (shown: Shown) => boolean): Promise<Shown> {
  while (!holds(state.snapshot())) await sleep(2);
  return state.snapshot();
}

test("loads once held, shows progress, answers, and disposes when let go of", async () => {
  const phases: string[] = [];
  const { state, seen } = watched(file, { onProgress: ({ phase }: any) => phases.push(phase) });
  assert.equal(state.snapshot().status, "idle");
  const release = state.hold();
  assert.equal(state.snapshot().status, "idle");
  const model = await state.load();
  await until(state, ({ status }) => status === "ready");
  assert.deepEqual(
    [...new Set(seen.map(({ status, progress }) => `${status} ${progress?.phase}`))],
    ["loading undefined", "loading engine", "loading weights", "loading ready", "ready ready"],
  );
  assert.deepEqual([...new Set(phases)], ["engine", "weights", "ready"]);
  const answer = await state.ask(null, "count 3");
  const { text, isAnswering, answer: shown } = state.snapshot();
  assert.deepEqual([answer!.text, text, isAnswering], ["0 1 2 ", "0 1 2 ", false]);
  assert.equal(shown, answer);
  assert.deepEqual(
    [...new Set(seen.filter(({ isAnswering: busy }) => busy).map((each) => each.text))],
    ["", "0 ", "0 1 ", "0 1 2 "],
  );
  release();
  await until(state, ({ status }) => status === "idle");
  assert.equal(await state.ask(null, "count 1"), undefined);
  assert.equal(state.snapshot().status, "idle");
  await assert.rejects(model.memoryBytes(), { code: "not_ready" });
});

test("let go of and held again at once, it loads once", async () => {
  const { state } = watched();
  state.hold()();
  const first = state.load();
  const release = state.hold();
  assert.equal(state.load(), first);
  await sleep(20);
  assert.equal(await state.load(), await first);
  release();
  await until(state, ({ status }) => status === "idle");
});

test("let go of in mid-load, the load ends", async () => {
  const { state } = watched(server.url("slow/model"));
  const release = state.hold();
  const loading = state.load();
  await until(state, ({ progress }) => (progress?.loadedBytes ?? 0) > 0);
  release();
  await assert.rejects(loading, { code: "aborted" });
  assert.equal(state.snapshot().error, undefined);
});

test("a question waits for the model; another one, or stop, ends it", async () => {
  const { state } = watched();
  const release = state.hold();
  const waiting = state.ask(null, "count 2");
  assert.equal(state.snapshot().isAnswering, true);
  assert.equal((await waiting)!.text, "0 1 ");
  const slow = state.ask(null, "slow");
  await until(state, ({ text }) => text.startsWith("0 1 "));
  const next = state.ask(null, "count 1");
  const cancelled = await slow;
  assert.equal(cancelled!.finishReason, "cancelled");
  assert.equal((await next)!.text, "0 ");
  assert.equal(state.snapshot().text, "0 ");
  const stopped = state.ask(null, "slow");
  await until(state, ({ text }) => text !== "");
  state.stop();
  assert.equal((await stopped)!.finishReason, "cancelled");
  assert.equal(state.snapshot().isAnswering, false);
  assert(state.snapshot().text.startsWith("0 "));
  release();
});

test("stopped before the model is there, a question is not asked", async () => {
  const { state } = watched();
  const release = state.hold();
  const unasked = state.ask(null, "count 1");
  state.stop();
  assert.equal(await unasked, undefined);
  const { isAnswering, error, text } = state.snapshot();
  assert.deepEqual([isAnswering, error, text], [false, undefined, ""]);
  release();
});

test("errors of questions and of loading are shown, and the next one tries again", async () => {
  const { state } = watched();
  const release = state.hold();
  assert.equal(await state.ask(null, "fail 7"), undefined);
  assert.equal(state.snapshot().error?.code, "context_full");
  assert.equal(state.snapshot().status, "ready");
  await state.ask(null, "count 1");
  assert.equal(state.snapshot().error, undefined);
  release();

  const world = await startFaultyServer({ files: { model: fakeModel(300_000) } });
  try {
    world.plan("model", [{ name: "status-404" }]);
    const failing = watched(world.url("model")).state;
    const letGo = failing.hold();
    await assert.rejects(failing.load(), { code: "http" });
    const { status, error } = await until(failing, (shown) => shown.status !== "loading");
    assert.deepEqual([status, error?.code], ["failed", "http"]);
    assert.equal((await failing.ask(null, "count 1"))!.text, "0 ");
    assert.equal(failing.snapshot().status, "ready");
    letGo();
  } finally {
    await world.close();
  }
});
