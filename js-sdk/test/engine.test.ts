// The engine as an object: which of the module's functions it calls with which addresses.

import assert from "node:assert/strict";
import { test } from "node:test";
import type { TinyVLMError } from "../src/protocol/errors.js";
import { Engine } from "../src/runtime/engine.js";
import type { EngineModule } from "../src/runtime/module.js";
import { lastReply } from "./last-reply.js";

// A module that gives out addresses and records what happens to them.
function recordingModule() {
  const calls: string[] = [];
  let next = 8;
  const { ok, failed, functions } = lastReply('{"warnings":[]}');
  const record =
    (name: string, value = 0, text = "{}") =>
    (object: number) => {
      calls.push(`${name} ${object}`);
      return ok(value, text);
    };
  const module: EngineModule = {
    HEAPU8: new Uint8Array(256),
    ...functions,
    selfTest: () => ok(),
    modelCreate: () => ok((next += 8)),
    modelReserve: record("modelReserve"),
    modelCommit: record("modelCommit", 2),
    modelEnd: record("modelEnd"),
    modelInfo: record("modelInfo"),
    modelFree: (model) => void calls.push(`modelFree ${model}`),
    sessionCreate: () => ok((next += 8), "{}"),
    sessionFree: (session) => void calls.push(`sessionFree ${session}`),
    addImage(session, bytes, flags) {
      calls.push(`addImage ${session} ${bytes} ${flags}`);
      // The end first, as a decoder may.
      const ended = module.readImage!(2, 64, 1) || module.readImage!(0, 32, 2);
      return ended ? failed(13, "ended") : failed(6, "damaged");
    },
    addPixels(session, channels, width, height, flags) {
      calls.push(`addPixels ${session} ${channels} ${width} ${height} ${flags}`);
      return module.readImage!(0, 32, 3) ? failed(13, "ended") : ok(1);
    },
    inspectImage(session, bytes, flags) {
      calls.push(`inspectImage ${session} ${bytes} ${flags}`);
      return module.readImage!(0, 32, 1)
        ? failed(13, "ended")
        : ok(0, '{"format":"GIF","whole":true,"warnings":[]}');
    },
    dropImage: record("dropImage"),
    sessionAsk: record("sessionAsk"),
    sessionEmbed: record("sessionEmbed"),
    sessionEmbedding: record("sessionEmbedding", 8, "2"),
    sessionAdvance: record("sessionAdvance", 3, ""),
    sessionReport: record("sessionReport"),
  };
  return { module, calls, failed };
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
    () => engine.addImage(3, rgb, () => {}),
    () => engine.dropImage(1),
    () => engine.ask([], {}),
    () => engine.embed(1),
    () => engine.embedding(false),
    () => engine.advance(1),
    () => engine.result(),
  ];
  for (const call of later) assert.equal(codeOf(call), "not_ready", String(call));
  engine.warmUp(1);
  assert.equal(calls.length, 2);
});

test("a warm-up leaves a new session, also where it fails", () => {
  const { module, calls, failed } = recordingModule();
  const engine = new Engine(module, () => assert.fail("crashed"));
  engine.createModel(1);
  engine.createSession({});
  engine.warmUp(1);
  assert.deepEqual([...new Set(calls)], ["sessionAsk 24", "sessionAdvance 24", "sessionFree 24"]);
  const { sessionAsk, sessionCreate } = module;
  module.sessionAsk = () => failed(7, "the context is too small");
  module.sessionCreate = () => failed(5, "no memory");
  calls.length = 0;
  engine.warmUp(1);
  assert.deepEqual(calls, ["sessionFree 32"]);
  assert.equal(
    codeOf(() => engine.ask([], {})),
    "out_of_memory",
  );
  Object.assign(module, { sessionAsk, sessionCreate });
  engine.ask([], {});
  assert.deepEqual(calls.slice(1), ["sessionAsk 40"]);
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

test("an image is read piece by piece, and only while it is added", () => {
  const { module, calls } = recordingModule();
  const engine = new Engine(module, () => assert.fail("crashed"));
  engine.createModel(1);
  engine.createSession({});
  assert.equal(engine.addImage(3, rgb, (_, target) => target.fill(7)).id, 1);
  assert.deepEqual([...module.HEAPU8.subarray(32, 36)], [7, 7, 7, 0]);
  assert.equal(module.readImage, undefined);

  const encoded = { format: "encoded", exact: true } as const;
  const file = Uint8Array.of(1, 2, 3);
  assert.equal(
    codeOf(() =>
      engine.addImage(3, encoded, (offset, target) =>
        target.set(file.subarray(offset, offset + target.length)),
      ),
    ),
    "invalid_image",
  );
  assert.deepEqual([...module.HEAPU8.subarray(32, 35), module.HEAPU8[64]], [1, 2, 7, 3]);
  assert.equal(module.readImage, undefined);
  assert.deepEqual(calls, ["addPixels 24 3 1 1 0", "addImage 24 3 1"]);
});

test("what an image's reader throws is thrown to the caller, and ends the reading", () => {
  const { module } = recordingModule();
  const engine = new Engine(module, () => assert.fail("crashed"));
  engine.createModel(1);
  engine.createSession({});
  for (const format of [rgb, { format: "encoded", exact: false } as const]) {
    let reads = 0;
    const failing = () => {
      reads++;
      throw new RangeError("no canvas");
    };
    assert.throws(() => engine.addImage(3, format, failing), /^RangeError: no canvas$/);
    assert.deepEqual([reads, module.readImage], [1, undefined]);
  }
});

test("a busy engine is told from one that has finished", () => {
  const { module } = recordingModule();
  const engine = new Engine(module, () => assert.fail("crashed"));
  engine.createModel(1);
  engine.createSession({});
  assert.deepEqual(engine.advance(1), { state: "busy", text: "" });
});

test("an embedding is a copy of what lies in the engine's memory", () => {
  const { module, calls } = recordingModule();
  const engine = new Engine(module, () => assert.fail("crashed"));
  engine.createModel(1);
  engine.createSession({});
  engine.embed(5);
  const memory = new Float32Array(module.HEAPU8.buffer, 8, 2);
  memory.set([0.5, -2]);
  const embedding = engine.embedding(true);
  memory.fill(0);
  assert.deepEqual(embedding, Float32Array.of(0.5, -2));
  assert.deepEqual(calls, ["sessionEmbed 24", "sessionEmbedding 24"]);
});
