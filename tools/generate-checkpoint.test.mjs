// The generator of random checkpoints: files that say what they hold, the same bytes for the same
// seed, values of the promised spread.

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { fileURLToPath } from "node:url";

const generator = fileURLToPath(new URL("generate-checkpoint.mjs", import.meta.url));
const root = mkdtempSync(join(tmpdir(), "tiny-vlm-generate-"));
after(() => rmSync(root, { recursive: true }));

const run = (...args) => spawnSync(process.execPath, [generator, ...args], { encoding: "utf8" });

/** Generates into a folder and returns its path. */
function generate(name, ...args) {
  const folder = join(root, name);
  const { status, stderr } = run(folder, ...args);
  assert.equal(status, 0, stderr);
  return folder;
}

/** Header and data of a safetensors file. */
function read(folder) {
  const bytes = readFileSync(join(folder, "model.safetensors"));
  const length = Number(bytes.readBigUInt64LE(0));
  return {
    header: JSON.parse(bytes.toString("utf8", 8, 8 + length)),
    data: bytes.subarray(8 + length),
  };
}

function floats({ header, data }, name) {
  const [from, to] = header[name].data_offsets;
  return new Float32Array(data.buffer.slice(data.byteOffset + from, data.byteOffset + to));
}

test("a t0 checkpoint has the tensors of the architecture, one after the other", () => {
  const { header, data } = read(generate("t0", "--size", "t0", "--dtype", "f32"));
  const { __metadata__: metadata, ...tensors } = header;
  assert.equal(metadata.format, "pt");
  // 105 of the tower less five num_batches_tracked, 4 of the projector, 26 of the decoder.
  assert.equal(Object.keys(tensors).length, 130);
  assert.deepEqual(
    tensors["model.language_model.layers.1.self_attn.k_proj.weight"].shape,
    [32, 64],
  );
  let end = 0;
  for (const { dtype, shape, data_offsets: offsets } of Object.values(tensors)) {
    assert.equal(dtype, "F32");
    assert.equal(offsets[0], end);
    end += shape.reduce((a, b) => a * b, 1) * 4;
    assert.equal(offsets[1], end);
  }
  assert.equal(data.length, end);
});

test("the same seed gives the same bytes, another seed others", () => {
  const file = (folder) => readFileSync(join(folder, "model.safetensors"));
  const first = file(generate("a", "--seed", "5"));
  assert.ok(first.equals(file(generate("b", "--seed", "5"))));
  assert.ok(!first.equals(file(generate("c", "--seed", "6"))));
});

test("values have the spread that keeps activations near 1", () => {
  const file = read(generate("spread", "--size", "demo", "--dtype", "f32"));
  const deviation = (name, mean = 0) => {
    const values = floats(file, name);
    return Math.sqrt(values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / values.length);
  };
  const near = (value, wanted) =>
    assert.ok(Math.abs(value / wanted - 1) < 0.05, `${value}, ${wanted} wanted`);
  near(deviation("model.language_model.embed_tokens.weight"), 0.25);
  near(deviation("model.language_model.layers.0.mlp.up_proj.weight"), 1.5 / Math.sqrt(192));
  const scales = floats(
    file,
    "model.vision_tower.timm_model.stages.3.blocks.0.layer_scale_1.gamma",
  );
  assert.ok(scales.every((value) => Math.abs(value) >= 0.199 && Math.abs(value) <= 1));
  assert.ok(scales.some((value) => value < 0) && scales.some((value) => value > 0));
  const mixer = floats(
    file,
    "model.vision_tower.timm_model.stages.2.blocks.1.token_mixer.reparam_conv.weight",
  );
  const centres = mixer.filter((_, i) => i % 9 === 4);
  near(centres.reduce((a, b) => a + b) / centres.length, 0.8);
  for (const name of Object.keys(file.header)) {
    if (name !== "__metadata__") assert.ok(floats(file, name).every(Number.isFinite), name);
  }
});

test("--outliers changes the tensors that its construction names and no others, by the factor", () => {
  const args = ["--size", "demo", "--dtype", "f32", "--outliers"];
  const plain = read(generate("outliers-1", ...args, "1"));
  const large = read(generate("outliers-300", ...args, "300"));
  const layer = (n, name) => `model.language_model.layers.${n}.${name}.weight`;
  const changed = Object.keys(plain.header).filter(
    (name) =>
      name !== "__metadata__" &&
      Buffer.compare(
        Buffer.from(floats(plain, name).buffer),
        Buffer.from(floats(large, name).buffer),
      ) !== 0,
  );
  const kinds = new Set(changed.map((name) => name.replace(/layers\.\d+/, "layers.N")));
  const n = (name) => `model.language_model.layers.N.${name}.weight`;
  assert.deepEqual(
    [...kinds].sort(),
    [
      n("input_layernorm"),
      n("mlp.down_proj"),
      n("mlp.gate_proj"),
      n("mlp.up_proj"),
      n("post_attention_layernorm"),
      n("self_attn.k_proj"),
      n("self_attn.o_proj"),
      n("self_attn.q_proj"),
      n("self_attn.v_proj"),
      "model.language_model.norm.weight",
    ].sort(),
  );

  // Layer 0's norm amplifies one channel of 192 by the factor, and the columns behind it are that
  // much smaller, up to half a share of the others' sum.
  const ratios = floats(large, layer(0, "input_layernorm")).map(
    (value, i) => value / floats(plain, layer(0, "input_layernorm"))[i],
  );
  const channels = [...ratios.keys()].filter((i) => Math.abs(ratios[i] - 1) > 1e-3);
  assert.equal(channels.length, 1);
  assert.ok(Math.abs(ratios[channels[0]] / 300 - 1) < 1e-5);
  const column = (file, name, at) => floats(file, name).filter((_, i) => i % 192 === at);
  const [before, after] = [plain, large].map((file) =>
    column(file, layer(0, "mlp.gate_proj"), channels[0]),
  );
  after.forEach((value, i) =>
    assert.ok(Math.abs(value / before[i] / ((0.5 * Math.sqrt(192)) / (2.4 * 300)) - 1) < 1e-5),
  );

  // One hidden unit of 512: its row of up_proj is larger and its column of down_proj smaller by the
  // same factor.
  const rows = Array.from(
    { length: 512 },
    (_, row) =>
      floats(large, layer(2, "mlp.up_proj"))[row * 192] /
      floats(plain, layer(2, "mlp.up_proj"))[row * 192],
  );
  const units = [...rows.keys()].filter((row) => rows[row] > 10);
  assert.equal(units.length, 1);
  const [down, wide] = [plain, large].map(
    (file) => floats(file, layer(2, "mlp.down_proj"))[3 * 512 + units[0]],
  );
  assert.ok(Math.abs((wide * 300) / down - 1) < 1e-5);
  for (const name of changed) assert.ok(floats(large, name).every(Number.isFinite), name);
});

// The construction's promise, on the compiled engine: behind a norm the outlier channel is about
// the factor larger than the median one, and the logits stay of the size that they have without
// outliers. TINYVLM_CLI names the native command line; CMake sets it.
test(
  "--outliers reaches the products of a running model and leaves its logits sane",
  { skip: process.env.TINYVLM_CLI === undefined },
  () => {
    const command = (...args) => {
      const { status, stderr } = spawnSync(process.env.TINYVLM_CLI, args, { encoding: "utf8" });
      assert.equal(status, 0, stderr);
    };
    const ids = BigInt64Array.from({ length: 64 }, (_, i) => BigInt((i * 769) % 4096));
    const text = JSON.stringify({
      prompt_ids: { dtype: "I64", shape: [64], data_offsets: [0, 512] },
    }).padEnd(128);
    const length = Buffer.alloc(8);
    length.writeBigUInt64LE(BigInt(text.length));
    writeFileSync(
      join(root, "case.safetensors"),
      Buffer.concat([length, Buffer.from(text), Buffer.from(ids.buffer)]),
    );
    const sizes = [1, 30, 300].map((factor) => {
      const folder = generate(
        `running-${factor}`,
        "--size",
        "t2w",
        "--dtype",
        "f32",
        "--outliers",
        String(factor),
      );
      const model = join(root, "running.gguf");
      command("convert", folder, "-o", model, "--type", "f32", "--no-tokenizer");
      command(
        "trace",
        model,
        "--case",
        join(root, "case.safetensors"),
        "-o",
        join(folder, "trace.safetensors"),
      );
      const bytes = readFileSync(join(folder, "trace.safetensors"));
      const header = Number(bytes.readBigUInt64LE(0));
      const trace = {
        header: JSON.parse(bytes.toString("utf8", 8, 8 + header)),
        data: bytes.subarray(8 + header),
      };
      const weights = read(folder);
      const ratios = [0, 2, 4].map((n) => {
        const norm = floats(weights, `model.language_model.layers.${n + 1}.input_layernorm.weight`);
        const rows = floats(trace, `layer${n}`);
        const largest = new Float32Array(norm.length);
        for (let r = 0; r < rows.length; r += norm.length) {
          const row = rows.subarray(r, r + norm.length);
          const rms = Math.sqrt(row.reduce((sum, x) => sum + x * x, 0) / row.length + 1e-6);
          row.forEach((x, i) => (largest[i] = Math.max(largest[i], Math.abs((x / rms) * norm[i]))));
        }
        const sorted = largest.sort();
        return sorted.at(-1) / sorted[sorted.length >> 1];
      });
      const logits = floats(trace, "logits_last");
      return {
        factor,
        ratios,
        logits: Math.sqrt(logits.reduce((sum, x) => sum + x * x, 0) / logits.length),
      };
    });
    for (const { factor, ratios, logits } of sizes) {
      if (factor > 1)
        for (const ratio of ratios)
          assert.ok(ratio > factor / 2 && ratio < factor * 2, `${ratio} wanted near ${factor}`);
      assert.ok(
        logits > sizes[0].logits / 2 && logits < sizes[0].logits * 2,
        `logits of ${logits}, ${sizes[0].logits} without outliers`,
      );
    }
  },
);

test("numbers replace those of the size, and another checkpoint lends its ids and its tokenizer", () => {
  const like = generate("like", "--size", "demo");
  writeFileSync(join(like, "generation_config.json"), '{"eos_token_id": [3, 1]}');
  writeFileSync(join(root, "tokenizer.model"), "pieces");
  const folder = generate(
    "t0-like",
    "--size",
    "t0",
    "--vocab",
    "2000",
    "--layers",
    "1,2,1,1,1",
    "--untied",
    "--like",
    like,
    "--tokenizer",
    join(root, "tokenizer.model"),
  );
  const config = JSON.parse(readFileSync(join(folder, "config.json"), "utf8"));
  assert.equal(config.text_config.vocab_size, 2000);
  assert.equal(config.image_token_index, 4);
  assert.equal(config.tie_word_embeddings, false);
  assert.deepEqual(config.vision_config.model_args.layers, [1, 2, 1, 1, 1]);
  assert.ok("lm_head.weight" in read(folder).header);
  assert.equal(readFileSync(join(folder, "tokenizer.model"), "utf8"), "pieces");
  assert.equal(
    readFileSync(join(folder, "generation_config.json"), "utf8"),
    '{"eos_token_id": [3, 1]}',
  );
});

test("a sparse 7B checkpoint has its size in shards, and takes no room", () => {
  const folder = generate("sparse", "--size", "7b", "--sparse");
  const { weight_map: map } = JSON.parse(
    readFileSync(join(folder, "model.safetensors.index.json"), "utf8"),
  );
  const shards = [...new Set(Object.values(map))];
  assert.deepEqual(
    shards,
    [1, 2, 3, 4].map((shard) => `model-0000${shard}-of-00004.safetensors`),
  );
  const stats = shards.map((name) => statSync(join(folder, name)));
  const total = stats.reduce((sum, { size }) => sum + size, 0);
  assert.ok(total > 15e9 && total < 16e9, `${total}`);
  assert.ok(stats.every(({ size }) => size <= 5.1e9));
  assert.ok(stats.reduce((sum, { blocks }) => sum + blocks * 512, 0) < 4e6);
  assert.equal(map["lm_head.weight"], shards[3]);
  const small = generate("sparse-small", "--size", "t0", "--sparse");
  const { header, data } = read(small);
  assert.ok("lm_head.weight" in header === false && data.every((byte) => byte === 0));
});

test("impossible sizes end in one line and exit code 1", () => {
  for (const args of [
    ["--size", "3b"],
    ["--heads", "3"],
    ["--dims", "16,24,32,32,64"],
    ["--seed", "x"],
    ["--depth", "0"],
    ["--dtype", "f16"],
    ["--nonsense"],
    ["--outliers", "0"],
    ["--outliers", "30", "--sparse"],
  ]) {
    const { status, stderr } = run(join(root, "never"), ...args);
    assert.equal(status, 1);
    assert.match(stderr, /^generate-checkpoint: [^\n]+\n$/);
  }
  assert.equal(run().status, 1);
});
