// The engine as an object: which of the module's functions it calls with which addresses.

import assert from "node:assert/strict";
import { test } from "node:test";
import type { TinyVLMError } from "../src/protocol/errors.js";
import { Engine } from "../src/runtime/engine.js";
import type { EngineModule, EngineReply } from "../src/runtime/module.js";

// A module that gives out addresses and records what happens to them.
function recordingModule() {
  const calls: string[] = [];
  let next = 8;
  let fits = true;
  const ok = (value = 0, text = "{}"): EngineReply => ({ code: 0, message: "", value, text });
  const record = (name: string, reply: EngineReply) => (object: number) => {
    calls.push(`${name} ${object}`);
    return reply;
  };
  const module: EngineModule = {
    HEAPU8: new Uint8Array(256),
    _malloc: () => (fits ? (next += 8) : 0),
    _free: (address) => void calls.push(`free ${address}`),
    selfTest: () => ok(),
    modelCreate: () => ok((next += 8)),
    modelReserve: record("modelReserve", ok(0)),
    modelCommit: record("modelCommit", ok(2)),
    modelEnd: record("modelEnd", ok()),
    modelInfo: record("modelInfo", ok()),
    modelFree: (model) => void calls.push(`modelFree ${model}`),
    sessionCreate: () => ok((next += 8)),
    sessionFree: (session) => void calls.push(`sessionFree ${session}`),
    addImage: record("addImage", { code: 6, message: "damaged", value: 0, text: "" }),
    addPixels: record("addPixels", ok(1)),
    dropImage: record("dropImage", ok()),
    sessionAsk: record("sessionAsk", ok()),
    sessionAdvance: record("sessionAdvance", ok(3, "")),
    sessionReport: record("sessionReport", ok()),
  };
  return { module, calls, refuseMemory: () => (fits = false) };
}

const codeOf = (action: () => unknown): string => {
  try {
    action();
  } catch (error) {
    return (error as TinyVLMError).code;
  }
  return "none";
};

const rgb = { format: "rgb", width: 1, height: 1, exact: false } as const;

test("after dispose every call throws, and none reaches the engine", () => {
  const { module, calls } = recordingModule();
  const engine = new Engine(module, () => assert.fail("crashed"));
  engine.createModel(1);
  engine.createSession({});
  engine.dispose();
  assert.deepEqual(calls, ["sessionFree 24", "modelFree 16"]);
  engine.dispose(); // once more does nothing
  const later = [
    () => engine.appendToModel(new Uint8Array(1), false),
    () => engine.modelLayout(),
    () => engine.endModel(),
    () => engine.modelInfo(),
    () => engine.createSession({}),
    () => engine.warmUp({}, 1),
    () => engine.addImage(3, rgb, () => {}),
    () => engine.dropImage(1),
    () => engine.ask([], {}),
    () => engine.advance(1),
    () => engine.result(),
  ];
  for (const call of later) assert.equal(codeOf(call), "not_ready", String(call));
  assert.equal(calls.length, 2);
});

test("a new model or session frees the one in its place, once", () => {
  const { module, calls } = recordingModule();
  const engine = new Engine(module, () => assert.fail("crashed"));
  engine.createModel(1);
  engine.createSession({});
  engine.createSession({});
  assert.deepEqual(calls, ["sessionFree 24"]);
  engine.createModel(1);
  assert.deepEqual(calls.slice(1), ["sessionFree 32", "modelFree 16"]);
  assert.equal(
    codeOf(() => engine.ask([], {})),
    "not_ready",
  );
});

test("an image's memory is freed whatever becomes of the image", () => {
  const { module, calls, refuseMemory } = recordingModule();
  const engine = new Engine(module, () => assert.fail("crashed"));
  engine.createModel(1);
  engine.createSession({});
  assert.equal(
    engine.addImage(3, rgb, (target) => target.fill(7)),
    1,
  );
  assert.deepEqual([...module.HEAPU8.subarray(32, 36)], [7, 7, 7, 0]);
  const encoded = { format: "encoded", exact: true } as const;
  assert.equal(
    codeOf(() => engine.addImage(3, encoded, () => {})),
    "invalid_image",
  );
  const failing = () => {
    throw new RangeError("no canvas");
  };
  assert.throws(() => engine.addImage(3, encoded, failing), /no canvas/);
  assert.deepEqual(calls, ["addPixels 24", "free 32", "addImage 24", "free 40", "free 48"]);
  refuseMemory();
  assert.equal(
    codeOf(() => engine.addImage(3, rgb, () => {})),
    "out_of_memory",
  );
});

test("a busy engine is told from one that has finished", () => {
  const { module } = recordingModule();
  const engine = new Engine(module, () => assert.fail("crashed"));
  engine.createModel(1);
  engine.createSession({});
  assert.deepEqual(engine.advance(1), { done: false, busy: true, text: "" });
});
