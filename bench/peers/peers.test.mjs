// The bench's own parts, without engines and without times.
import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { doubt, interleave, spread } from "./measure.mjs";
import { OnnxGraph } from "./onnx-writer.mjs";
import { promptOf } from "./prompt.mjs";
import { writeTextModel } from "./text-model.mjs";
import { writeTokenizer } from "./tokenizer.mjs";

const folder = mkdtempSync(join(tmpdir(), "tiny-vlm-peers-"));
after(() => rmSync(folder, { recursive: true, force: true }));

test("spread: the median of an even number of values is the middle of the two in the middle", () => {
  assert.deepEqual(spread([5, 1, 3]), { median: 3, least: 1, most: 5 });
  assert.deepEqual(spread([4, 1, 2, 10]), { median: 3, least: 1, most: 10 });
});

test("interleave: a warm-up for each, then everybody in turn", async () => {
  const calls = [];
  const contender = (name) => ({
    run: async (round) => {
      calls.push(`${name}${round}`);
      return round;
    },
  });
  const values = await interleave([contender("a"), contender("b")], {
    rounds: 2,
    fewest: 1,
    seconds: 100,
  });
  assert.deepEqual(calls, ["a0", "b0", "a1", "b1", "a2", "b2"]);
  assert.deepEqual(values, [
    [1, 2],
    [1, 2],
  ]);
});

test("interleave: stops after the fewest rounds where time is up", async () => {
  const values = await interleave([{ run: async (round) => round }], {
    rounds: 9,
    fewest: 2,
    seconds: -1,
  });
  assert.deepEqual(values, [[1, 2]]);
});

test("doubt: a machine that changed, that others used, or whose threads do not scale", () => {
  const quiet = { speed: 100, scale: 1, share: 1 };
  assert.equal(doubt(quiet, { ...quiet, speed: 109 }, 1), null);
  assert.match(doubt(quiet, { ...quiet, speed: 111 }, 1), /calibration changed by 11 %/);
  assert.match(doubt({ ...quiet, share: 0.8 }, quiet, 1), /one loop got 80 %/);
  assert.match(doubt({ ...quiet, scale: 1.7 }, { ...quiet, scale: 1.9 }, 2), /1\.70 times/);
  assert.equal(doubt({ ...quiet, scale: 1.8 }, { ...quiet, scale: 1.9 }, 2), null);
});

test("promptOf: the letters asked for, and another first one in rounds that follow", () => {
  for (const length of [1, 16, 280])
    assert.match(promptOf(length, 3), new RegExp(`^[a-t]{${length}}$`));
  assert.equal(promptOf(280, 4), promptOf(280, 4));
  assert.equal(new Set(Array.from({ length: 20 }, (_, round) => promptOf(16, round)[0])).size, 20);
});

test("writeTokenizer: one token for each row but the control tokens', which stand apart", () => {
  writeTokenizer(folder);
  const vocabulary = JSON.parse(readFileSync(join(folder, "vocab.json"), "utf8"));
  const controls = Object.keys(
    JSON.parse(readFileSync(join(folder, "tokenizer_config.json"), "utf8")).added_tokens_decoder,
  ).map(Number);
  const ids = new Set([...Object.values(vocabulary), ...controls]);
  assert.equal(Object.keys(vocabulary).length + controls.length, 151936);
  assert.equal(ids.size, 151936);
  for (let id = 0; id < 151936; ++id) assert.ok(ids.has(id), `no token ${id}`);
});

test("OnnxGraph: the bytes of a small model", () => {
  const graph = new OnnxGraph();
  const x = graph.input("x", [1, "n"]);
  graph.node("Mul", [x, graph.constant("c", [1], Float32Array.of(2))], { axis: -1 }, "y");
  graph.output("y", [1, "n"]);
  const path = join(folder, "small.onnx");
  graph.write(path, { opset: 20, irVersion: 9 });
  const bytes = readFileSync(path);
  const has = (...wanted) =>
    assert.ok(
      bytes.includes(Buffer.concat(wanted.map((part) => Buffer.from(part)))),
      `${wanted} is missing`,
    );
  // ir_version
  assert.deepEqual([...bytes.subarray(0, 2)], [0x08, 9]);
  // the node
  has([0x0a, 1], "x", [0x0a, 1], "c", [0x12, 1], "y", [0x1a, 1], "y", [0x22, 3], "Mul");
  // its attribute
  has([0x0a, 4], "axis", [0x18, 255, 255, 255, 255, 255, 255, 255, 255, 255, 1, 0xa0, 1, 2]);
  // the constant
  has([0x08, 1, 0x10, 1, 0x42, 1], "c", [0x4a, 4, 0, 0, 0, 64]);
  // a shape with a size known later
  has([0x0a, 2, 0x08, 1, 0x0a, 3, 0x12, 1], "n");
  // the operator set
  assert.deepEqual([...bytes.subarray(-6)], [0x42, 4, 0x0a, 0, 0x10, 20]);
});

test("writeTextModel: architecture, keys and tensors of the decoder alone", () => {
  const u32 = (value) => Buffer.from(Uint32Array.of(value).buffer);
  const u64 = (value) => Buffer.from(BigUint64Array.of(BigInt(value)).buffer);
  const string = (text) => Buffer.concat([u64(text.length), Buffer.from(text)]);
  const padded = (bytes) => Buffer.concat([bytes, Buffer.alloc((64 - (bytes.length % 64)) % 64)]);
  const alignment = Buffer.concat([string("general.alignment"), u32(4), u32(64)]);
  const blocks = Buffer.concat([string("qwen2.block_count"), u32(4), u32(1)]);
  const tokens = Buffer.concat([
    string("tokenizer.ggml.tokens"),
    u32(9),
    u32(8),
    u64(2),
    string("a"),
    string("bc"),
  ]);
  const others = [
    Buffer.concat([string("general.architecture"), u32(8), string("fastvlm")]),
    Buffer.concat([string("fastvlm.vision.dims"), u32(9), u32(5), u64(2), u32(1), u32(2)]),
    Buffer.concat([string("tinyvlm.chunk_sha256"), u32(9), u32(0), u64(3), Buffer.alloc(3)]),
  ];
  const info = (name, offset) => Buffer.concat([string(name), u32(1), u64(4), u32(0), u64(offset)]);
  const values = [...others, alignment, blocks, tokens];
  const header = Buffer.concat([
    Buffer.from("GGUF"),
    u32(3),
    u64(3),
    u64(values.length),
    ...values,
    info("v.stem.0.bias", 0),
    info("token_embd.weight", 64),
    info("output_norm.weight", 128),
  ]);
  const data = Buffer.from(Uint8Array.from({ length: 192 }, (_, i) => i));
  const [from, to] = ["whole.gguf", "text.gguf"].map((name) => join(folder, name));
  writeFileSync(from, Buffer.concat([padded(header), data]));
  writeTextModel(from, to);
  const architecture = Buffer.concat([string("general.architecture"), u32(8), string("qwen2")]);
  const wanted = Buffer.concat([
    Buffer.from("GGUF"),
    u32(3),
    u64(2),
    u64(4),
    architecture,
    alignment,
    blocks,
    tokens,
    info("token_embd.weight", 0),
    info("output_norm.weight", 64),
  ]);
  assert.deepEqual(readFileSync(to), Buffer.concat([padded(wanted), data.subarray(64)]));
});
