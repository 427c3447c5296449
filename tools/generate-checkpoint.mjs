#!/usr/bin/env node
// Writes a FastVLM checkpoint of random weights in transformers' layout: models of real size for
// timings, without downloading one.
//
//   node tools/generate-checkpoint.mjs OUT --size t0|t2w|t3|demo|0.5b|1.5b|7b [--seed N] [--dtype
//   bf16|f32] [--layers 2,12,24,4,2] [--dims 96,...]
//        [--mlp 4] [--hidden N] [--ffn N] [--depth N] [--heads N] [--kv-heads N] [--vocab N]
//        [--image N] [--untied]
//        [--tokenizer FILE] [--like FOLDER] [--sparse | --outliers FACTOR]
//
// Numbers given by name replace those of the size. --tokenizer copies a tokenizer.model into the
// folder, --like the tokenizer_config.json and generation_config.json of another checkpoint; the
// ids that these name must lie below the vocabulary.
//
// --sparse writes no weights: headers and holes that read as zeros (one value at the end of an
// untied head, which must not equal the embedding), in shards of at most 5 GB as transformers
// writes them, so that a 7B folder takes no room on the disk. It is for tests of converting.
//
// Otherwise weights are uniform with the deviations that keep activations near 1 through the whole
// depth (gain / sqrt(fan-in); the gains undo what GELUs take away), layer scales between 0.2 and 1
// with either sign, BatchNorm statistics away from the identity. The same seed writes the same
// bytes.
//
// --outliers FACTOR builds what trained decoders have and random ones lack: a few channels with
// values FACTOR times as large as the others', 0.1 % of the residual stream's channels and of each
// FFN's hidden units, at least one of each (the tower stays as it is):
//   - The stream. In layer 0 the bias of v, which every attention passes on whole, meets rows of
//     o_proj that lie along it: the outlier channels of
//     every row get the same value (as in trained models: constant, and not in the embedding),
//     FACTOR times the stream's rms after that layer, or
//     sqrt(channels / outliers) / 2 times where that is less: beyond it the outliers alone would
//     decide the rms, so that RMSNorm normalised nothing else
//     and the random layers behind it grew without bound.
//   - The norms. Their weights bring the outlier channels to FACTOR, and the others, which RMSNorm
//     has divided by what the outliers make of the rms,
//     back near 1: that is what q, k, v, gate and up multiply. The last norm takes the outliers
//     out.
//   - Those five products. Their outlier columns are smaller than the others by as much as makes
//     the outliers' part of an output half of what all other
//     channels contribute: like a bias, as in trained models. With columns as large as the others'
//     every gate would be saturated.
//   - The FFN. Outlier units have rows of up_proj FACTOR times as large and columns of down_proj as
//     much smaller: the inputs of down have outliers.
// Rows of images begin as small as those of text (the projector's last layer is divided by 64), so
// that one rms fits all. Factor 1 is the same model without outliers: what factors 30 and 300 are
// to be compared with (docs/fidelity.md).

import {
  closeSync,
  existsSync,
  ftruncateSync,
  mkdirSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
  writeSync,
} from "node:fs";
import { join } from "node:path";
import { parseArgs } from "node:util";

const TOWER = {
  layers: [2, 12, 24, 4, 2],
  dims: [96, 192, 384, 768, 1536],
  mlp: 4,
  image: 1024,
  imageToken: 151646,
  eos: 151645,
  bos: 151643,
  positions: 32768,
};
const SMALL = { mlp: 4, image: 256, imageToken: 3, eos: 2, bos: 1, positions: 2048 };

// Towers, decoders and vocabularies by name; the released ones are padded by transformers'
// conversion to 152000 rows, base models have 151936.
const SIZES = {
  t0: {
    ...SMALL,
    layers: [1, 1, 1, 1, 1],
    dims: [16, 32, 32, 32, 64],
    mlp: 2,
    hidden: 64,
    ffn: 192,
    depth: 2,
    heads: 4,
    kvHeads: 2,
    vocab: 1024,
  },
  t2w: {
    ...SMALL,
    layers: [1, 2, 3, 2, 1],
    dims: [16, 32, 64, 128, 256],
    mlp: 3,
    hidden: 192,
    ffn: 512,
    depth: 6,
    heads: 6,
    kvHeads: 2,
    vocab: 4096,
  },
  t3: {
    ...SMALL,
    layers: [2, 12, 24, 4, 2],
    dims: [16, 32, 64, 128, 128],
    hidden: 256,
    ffn: 768,
    depth: 6,
    heads: 8,
    kvHeads: 2,
    vocab: 8192,
  },
  demo: {
    ...SMALL,
    layers: [1, 2, 4, 3, 1],
    dims: [32, 64, 128, 256, 256],
    mlp: 3,
    hidden: 192,
    ffn: 512,
    depth: 5,
    heads: 6,
    kvHeads: 2,
    vocab: 1024,
    imageToken: 4,
    eos: 3,
  },
  "0.5b": { ...TOWER, hidden: 896, ffn: 4864, depth: 24, heads: 14, kvHeads: 2, vocab: 151936 },
  "1.5b": { ...TOWER, hidden: 1536, ffn: 8960, depth: 28, heads: 12, kvHeads: 2, vocab: 151936 },
  "7b": {
    ...TOWER,
    hidden: 3584,
    ffn: 18944,
    depth: 28,
    heads: 28,
    kvHeads: 4,
    vocab: 152064,
    untied: true,
  },
};

/** Ends the program with one line. */
function fail(message) {
  process.stderr.write(`generate-checkpoint: ${message}\n`);
  process.exit(1);
}

/** A positive whole number of the command line, or the size's own. */
function count(values, name, fallback) {
  if (values[name] === undefined) return fallback;
  const value = Number(values[name]);
  if (!Number.isSafeInteger(value) || value < 1)
    fail(`--${name}: a positive whole number wanted, "${values[name]}" found`);
  return value;
}

/** A list of positive whole numbers, divided by commas. */
function counts(values, name, fallback) {
  if (values[name] === undefined) return fallback;
  return values[name].split(",").map((item) => count({ [name]: item }, name));
}

function readOptions() {
  const names = [
    "size",
    "seed",
    "dtype",
    "layers",
    "dims",
    "mlp",
    "hidden",
    "ffn",
    "depth",
    "heads",
    "kv-heads",
    "vocab",
    "image",
    "tokenizer",
    "like",
    "outliers",
  ];
  const options = Object.fromEntries(names.map((name) => [name, { type: "string" }]));
  let parsed;
  try {
    parsed = parseArgs({
      options: { ...options, untied: { type: "boolean" }, sparse: { type: "boolean" } },
      allowPositionals: true,
    });
  } catch (error) {
    fail(error.message);
  }
  const { values, positionals } = parsed;
  if (positionals.length !== 1) fail("one folder to write wanted");
  const base = SIZES[values.size ?? "t0"];
  if (base === undefined)
    fail(`--size: one of ${Object.keys(SIZES).join(", ")} wanted, "${values.size}" found`);
  const model = {
    ...base,
    layers: counts(values, "layers", base.layers),
    dims: counts(values, "dims", base.dims),
    mlp: count(values, "mlp", base.mlp),
    hidden: count(values, "hidden", base.hidden),
    ffn: count(values, "ffn", base.ffn),
    depth: count(values, "depth", base.depth),
    heads: count(values, "heads", base.heads),
    kvHeads: count(values, "kv-heads", base.kvHeads),
    vocab: count(values, "vocab", base.vocab),
    image: count(values, "image", base.image),
    untied: values.untied ?? base.untied ?? false,
  };
  const dtype = values.dtype ?? "bf16";
  if (dtype !== "bf16" && dtype !== "f32") fail(`--dtype: bf16 or f32 wanted, "${dtype}" found`);
  if (model.layers.length !== 5 || model.dims.length !== 5)
    fail("--layers and --dims: five numbers each wanted");
  if (model.hidden % model.heads !== 0 || (model.hidden / model.heads) % 2 !== 0)
    fail(`--heads: ${model.heads} do not divide ${model.hidden} into heads of even size`);
  if (model.heads % model.kvHeads !== 0)
    fail(`--kv-heads: a divisor of ${model.heads} wanted, ${model.kvHeads} found`);
  for (let s = 1; s < 5; ++s) {
    if (model.dims[s] % model.dims[s - 1] !== 0)
      fail(`--dims: ${model.dims[s]} is not a multiple of ${model.dims[s - 1]}`);
  }
  if (model.dims[3] % 32 !== 0 || model.dims[4] % 32 !== 0)
    fail("--dims: the last two must be multiples of 32");
  for (const id of ["imageToken", "eos", "bos"]) model[id] = Math.min(model[id], model.vocab - 1);
  const seed = Number(values.seed ?? 1);
  if (!Number.isSafeInteger(seed) || seed < 0)
    fail(`--seed: a whole number from 0 wanted, "${values.seed}" found`);
  const factor = values.outliers === undefined ? undefined : Number(values.outliers);
  if (factor !== undefined && !(factor >= 1 && factor <= 10000))
    fail(`--outliers: a number of 1 to 10000 wanted, "${values.outliers}" found`);
  for (const path of [values.tokenizer, values.like]) {
    if (path !== undefined && !existsSync(path)) fail(`${path} does not exist`);
  }
  if (factor !== undefined && values.sparse) fail("one of --sparse and --outliers wanted");
  return {
    out: positionals[0],
    model,
    dtype,
    seed,
    tokenizer: values.tokenizer,
    like: values.like,
    sparse: values.sparse ?? false,
    factor,
  };
}

// ---- values: what a tensor is filled with
// -------------------------------------------------------------------------------------------------

/**
 * Uniform values of this deviation and mean. A filling is { from, to }, with `signed` where each
 * value gets either sign.
 */
const spread = (deviation, mean = 0) => ({
  from: mean - deviation * Math.sqrt(3),
  to: mean + deviation * Math.sqrt(3),
});
const BIAS = spread(0.05);
const NORM = spread(0.1, 1);
const LAYER_SCALE = { from: 0.2, to: 1, signed: true };

/** Every tensor of the checkpoint: name, shape and filling. */
function* tensorsOf(model) {
  const { layers, dims, mlp, hidden, ffn, depth, heads, kvHeads, vocab } = model;
  const weight = (name, shape, gain) => ({
    name: `${name}.weight`,
    shape,
    fill: spread(gain / Math.sqrt(shape.slice(1).reduce((a, b) => a * b, 1))),
  });
  const bias = (name, n, fill = BIAS) => ({ name: `${name}.bias`, shape: [n], fill });
  function* layer(name, shape, gain, biasFill = BIAS) {
    yield weight(name, shape, gain);
    yield bias(name, shape[0], biasFill);
  }
  const tower = "model.vision_tower.timm_model.";
  yield* layer(`${tower}stem.0.reparam_conv`, [dims[0], 3, 3, 3], 1.7);
  yield* layer(`${tower}stem.1.reparam_conv`, [dims[0], 1, 3, 3], 1.7);
  yield* layer(`${tower}stem.2.reparam_conv`, [dims[0], dims[0], 1, 1], 1.7);
  for (let s = 0; s < dims.length; ++s) {
    const c = dims[s];
    const stage = `${tower}stages.${s}.`;
    const attends = s >= 3;
    if (s > 0) {
      yield* layer(`${stage}downsample.proj.0.reparam_conv`, [c, 1, 7, 7], 1.7);
      yield* layer(`${stage}downsample.proj.1.reparam_conv`, [c, c, 1, 1], 1.7);
    }
    if (attends) yield { ...weight(`${stage}pos_emb.reparam_conv`, [c, 1, 7, 7], 0.6), centre: 1 };
    if (attends) yield bias(`${stage}pos_emb.reparam_conv`, c);
    for (let b = 0; b < layers[s]; ++b) {
      const block = `${stage}blocks.${b}.`;
      if (attends) {
        yield { name: `${block}norm.weight`, shape: [c], fill: NORM };
        yield bias(`${block}norm`, c);
        yield weight(`${block}token_mixer.qkv`, [3 * c, c], 1.8);
        yield* layer(`${block}token_mixer.proj`, [c, c], 1);
        yield { name: `${block}layer_scale_1.gamma`, shape: [c, 1, 1], fill: LAYER_SCALE };
        yield { name: `${block}layer_scale_2.gamma`, shape: [c, 1, 1], fill: LAYER_SCALE };
      } else {
        // The folded skip of real weights stands in the centre tap.
        yield { ...weight(`${block}token_mixer.reparam_conv`, [c, 1, 3, 3], 0.5), centre: 0.8 };
        yield bias(`${block}token_mixer.reparam_conv`, c);
        yield { name: `${block}layer_scale.gamma`, shape: [c, 1, 1], fill: LAYER_SCALE };
      }
      yield weight(`${block}mlp.conv.conv`, [c, 1, 7, 7], 1);
      yield { name: `${block}mlp.conv.bn.weight`, shape: [c], fill: { from: 0.5, to: 1.5 } };
      yield { name: `${block}mlp.conv.bn.bias`, shape: [c], fill: spread(0.1) };
      yield { name: `${block}mlp.conv.bn.running_mean`, shape: [c], fill: spread(0.2) };
      yield { name: `${block}mlp.conv.bn.running_var`, shape: [c], fill: { from: 0.5, to: 2 } };
      yield* layer(`${block}mlp.fc1`, [mlp * c, c, 1, 1], 1.5);
      // Many blocks in a stage: smaller steps.
      yield* layer(`${block}mlp.fc2`, [c, mlp * c, 1, 1], 1.4 / Math.sqrt(layers[s]));
    }
  }
  const features = 2 * dims[4];
  const squeezed = Math.max(1, features / 16);
  yield* layer(`${tower}final_conv.reparam_conv`, [features, 1, 3, 3], 2.5);
  yield* layer(`${tower}final_conv.se.fc1`, [squeezed, features, 1, 1], 3);
  yield* layer(`${tower}final_conv.se.fc2`, [features, squeezed, 1, 1], 3);
  yield* layer("model.multi_modal_projector.linear_1", [hidden, features], 2);
  yield* layer("model.multi_modal_projector.linear_2", [hidden, hidden], 1.5);

  const kv = (hidden / heads) * kvHeads;
  const decoder = "model.language_model.";
  yield { name: `${decoder}embed_tokens.weight`, shape: [vocab, hidden], fill: spread(0.25) };
  for (let n = 0; n < depth; ++n) {
    const block = `${decoder}layers.${n}.`;
    yield { name: `${block}input_layernorm.weight`, shape: [hidden], fill: NORM };
    yield* layer(`${block}self_attn.q_proj`, [hidden, hidden], 1.6, spread(0.5));
    yield* layer(`${block}self_attn.k_proj`, [kv, hidden], 1.6, spread(0.5));
    yield* layer(`${block}self_attn.v_proj`, [kv, hidden], 1);
    yield weight(`${block}self_attn.o_proj`, [hidden, hidden], 1.3);
    yield { name: `${block}post_attention_layernorm.weight`, shape: [hidden], fill: NORM };
    yield weight(`${block}mlp.gate_proj`, [ffn, hidden], 1.5);
    yield weight(`${block}mlp.up_proj`, [ffn, hidden], 1.5);
    yield weight(`${block}mlp.down_proj`, [hidden, ffn], 2);
  }
  yield { name: `${decoder}norm.weight`, shape: [hidden], fill: NORM };
  if (model.untied) yield { name: "lm_head.weight", shape: [vocab, hidden], fill: spread(0.25) };
}

// ---- random numbers
// -------------------------------------------------------------------------------------------------

/**
 * xorshift128 on four 32-bit words, seeded through a 32-bit mixer: quick in JavaScript and equal
 * everywhere.
 */
class Random {
  constructor(seed, text) {
    let state = (seed ^ Math.floor(seed / 2 ** 32)) | 0;
    for (let i = 0; i < text.length; ++i) state = Math.imul(state ^ text.charCodeAt(i), 0x01000193);
    const word = () => {
      state = (state + 0x9e3779b9) | 0;
      let z = Math.imul(state ^ (state >>> 16), 0x21f0aaad);
      z = Math.imul(z ^ (z >>> 15), 0x735a2d97);
      return z ^ (z >>> 15);
    };
    this.x = word() | 1;
    this.y = word();
    this.z = word();
    this.w = word();
  }

  /** Fills `out` with uniform values in [from, to); `signed` gives each either sign. */
  fill(out, { from, to, signed = false }) {
    let { x, y, z, w } = this;
    const step = (to - from) / 2 ** 32;
    for (let i = 0; i < out.length; ++i) {
      let t = x ^ (x << 11);
      t ^= t >>> 8;
      x = y;
      y = z;
      z = w;
      w ^= (w >>> 19) ^ t;
      const value = from + step * (w >>> 0);
      out[i] = signed && (t & 1) !== 0 ? -value : value;
    }
    Object.assign(this, { x, y, z, w });
  }
}

/** f32 -> bf16, to nearest even, for finite values. */
function toBf16(values, out) {
  const bits = new Uint32Array(values.buffer, values.byteOffset, values.length);
  for (let i = 0; i < bits.length; ++i) out[i] = (bits[i] + 0x7fff + ((bits[i] >>> 16) & 1)) >>> 16;
}

// ---- outliers: what --outliers changes
// -------------------------------------------------------------------------------------------------

// What one layer's attention and FFN add to the square of the stream's rms, measured; the embedding
// brings 1/16.
const ATTENTION_POWER = 1;
const FFN_POWER = 8.5;
const LAYER_POWER = ATTENTION_POWER + FFN_POWER;

// The largest of some hundred values of an ordinary channel behind a norm: what an outlier's
// constant value is FACTOR times as large as.
const LARGEST = 2.4;

class Outliers {
  constructor(model, seed, factor) {
    const { hidden, ffn, depth, heads, kvHeads } = model;
    Object.assign(this, { hidden, ffn, depth, factor });
    this.channels = this.choose(seed, "channels", hidden);
    this.units = Array.from({ length: depth }, (_, layer) =>
      this.choose(seed, `units ${layer}`, ffn),
    );
    this.share = Math.min(1, (0.5 * Math.sqrt(hidden / this.channels.length)) / (LARGEST * factor));
    this.value =
      Math.min(factor, 0.5 * Math.sqrt(hidden / this.channels.length)) * Math.sqrt(LAYER_POWER);

    // The bias of v in layer 0, as attention's heads repeat it, and what its square adds up to.
    this.valueBias = new Float32Array((hidden / heads) * kvHeads);
    new Random(seed, "outliers of v").fill(this.valueBias, { from: 0.3, to: 0.7, signed: true });
    const width = hidden / heads;
    this.repeated = Float32Array.from(
      { length: hidden },
      (_, i) => this.valueBias[Math.floor(i / width / (heads / kvHeads)) * width + (i % width)],
    );
    this.square = this.repeated.reduce((sum, v) => sum + v * v, 0);
  }

  /** 0.1 % of `count` places, at least one, from the seed. */
  choose(seed, text, count) {
    const wanted = Math.max(1, Math.round(count / 1000));
    const random = new Random(seed, `outlier ${text}`);
    const chosen = new Set();
    const place = new Float32Array(1);
    while (chosen.size < wanted) {
      random.fill(place, { from: 0, to: count });
      chosen.add(Math.min(count - 1, Math.floor(place[0])));
    }
    return [...chosen];
  }

  /**
   * Multiplies a norm's weights: `square` is that of the stream's rms without outliers, `wanted`
   * the outliers' size behind the norm.
   */
  scaleNorm(values, square, wanted) {
    const larger = Math.sqrt(1 + (this.channels.length * this.value ** 2) / this.hidden / square);
    for (let i = 0; i < values.length; ++i)
      values[i] *= this.channels.includes(i)
        ? (larger * wanted * Math.sqrt(square)) / this.value
        : larger;
  }

  /** Changes the elements of a tensor from `at` on. */
  apply(name, shape, at, values) {
    const scaleColumns = (columns, scale) => {
      const width = shape[1];
      for (const column of columns)
        for (let i = (((column - at) % width) + width) % width; i < values.length; i += width)
          values[i] *= scale;
    };
    // Calls change(index in values, column) for every element of the rows that lie in this piece.
    const eachOfRows = (rows, change) => {
      const width = shape[1];
      for (const row of rows) {
        for (
          let i = Math.max(0, row * width - at);
          i < Math.min(values.length, (row + 1) * width - at);
          ++i
        )
          change(i, at + i - row * width);
      }
    };
    if (name.startsWith("model.multi_modal_projector.linear_2.")) {
      for (let i = 0; i < values.length; ++i) values[i] /= 64;
      return;
    }
    if (name === "model.language_model.norm.weight")
      this.scaleNorm(values, LAYER_POWER * this.depth, 1);
    const match = /^model\.language_model\.layers\.(\d+)\.(.+)$/.exec(name);
    if (match === null) return;
    const layer = Number(match[1]);
    const square = 1 / 16 + LAYER_POWER * layer;
    switch (match[2]) {
      case "input_layernorm.weight":
        if (layer > 0) this.scaleNorm(values, square, LARGEST * this.factor);
        else for (const c of this.channels) values[c] *= this.factor;
        break;
      case "post_attention_layernorm.weight":
        this.scaleNorm(values, square + ATTENTION_POWER, LARGEST * this.factor);
        break;
      case "self_attn.v_proj.bias":
        if (layer === 0) values.set(this.valueBias);
        break;
      case "self_attn.o_proj.weight":
        if (layer === 0)
          eachOfRows(
            this.channels,
            (i, column) => (values[i] = (this.value * this.repeated[column]) / this.square),
          );
        break;
      case "mlp.down_proj.weight":
        scaleColumns(this.units[layer], 1 / this.factor);
        break;
      case "mlp.up_proj.weight":
        eachOfRows(this.units[layer], (i) => (values[i] *= this.factor));
        scaleColumns(this.channels, this.share);
        break;
      case "self_attn.q_proj.weight":
      case "self_attn.k_proj.weight":
      case "self_attn.v_proj.weight":
      case "mlp.gate_proj.weight":
        scaleColumns(this.channels, this.share);
        break;
    }
  }
}

// ---- files
// -------------------------------------------------------------------------------------------------

/** Writes all of a buffer: one call may take less. */
function writeAll(file, bytes) {
  for (let at = 0; at < bytes.length;) at += writeSync(file, bytes, at);
}

const elementBytes = (dtype) => (dtype === "bf16" ? 2 : 4);

/**
 * The beginning of a safetensors file: the length of its header and the header, tensors one after
 * the other.
 */
function headerOf(tensors, dtype) {
  const header = { __metadata__: { format: "pt" } };
  let dataBytes = 0;
  for (const { name, shape } of tensors) {
    const end = dataBytes + shape.reduce((a, b) => a * b, 1) * elementBytes(dtype);
    header[name] = { dtype: dtype.toUpperCase(), shape, data_offsets: [dataBytes, end] };
    dataBytes = end;
  }
  let text = JSON.stringify(header);
  text = text.padEnd(Math.ceil(text.length / 8) * 8);
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(text.length));
  return { head: Buffer.concat([length, Buffer.from(text, "latin1")]), dataBytes };
}

/**
 * Writes the tensors as holes, in one file or in shards with an index; returns the bytes that the
 * files claim to have.
 */
function writeSparse(out, model, dtype) {
  const maxShardBytes = 5e9;
  const shards = [[]];
  let shardBytes = 0;
  for (const tensor of tensorsOf(model)) {
    const bytes = tensor.shape.reduce((a, b) => a * b, 1) * elementBytes(dtype);
    if (shardBytes > 0 && shardBytes + bytes > maxShardBytes) {
      shards.push([]);
      shardBytes = 0;
    }
    shards.at(-1).push(tensor);
    shardBytes += bytes;
  }
  const number = (n) => String(n).padStart(5, "0");
  const weightMap = {};
  let total = 0;
  for (const [i, tensors] of shards.entries()) {
    const name =
      shards.length === 1
        ? "model.safetensors"
        : `model-${number(i + 1)}-of-${number(shards.length)}.safetensors`;
    const { head, dataBytes } = headerOf(tensors, dtype);
    const file = openSync(join(out, name), "w");
    try {
      writeAll(file, head);
      ftruncateSync(file, head.length + dataBytes);
      const one = dtype === "bf16" ? Buffer.from([0x80, 0x3f]) : Buffer.from([0, 0, 0x80, 0x3f]);
      if (tensors.at(-1).name === "lm_head.weight")
        writeSync(file, one, 0, one.length, head.length + dataBytes - one.length);
    } catch (error) {
      fail(`${join(out, name)}: ${error.message}`);
    } finally {
      closeSync(file);
    }
    for (const tensor of tensors) weightMap[tensor.name] = name;
    total += head.length + dataBytes;
  }
  const index = { metadata: { total_size: total }, weight_map: weightMap };
  if (shards.length > 1)
    writeFileSync(join(out, "model.safetensors.index.json"), `${JSON.stringify(index)}\n`);
  return total;
}

function writeWeights(path, model, dtype, seed, factor) {
  const { head, dataBytes } = headerOf([...tensorsOf(model)], dtype);
  const partial = `${path}.partial`;
  const file = openSync(partial, "w");
  try {
    writeAll(file, head);
    const outliers = factor === undefined ? undefined : new Outliers(model, seed, factor);
    const pieceLength = 1 << 20;
    const values = new Float32Array(pieceLength);
    const halves = new Uint16Array(pieceLength);
    for (const { name, shape, fill, centre } of tensorsOf(model)) {
      const random = new Random(seed, name);
      const elements = shape.reduce((a, b) => a * b, 1);
      const taps = centre === undefined ? 0 : shape[2] * shape[3];
      for (let at = 0; at < elements; at += pieceLength) {
        const piece = values.subarray(0, Math.min(pieceLength, elements - at));
        random.fill(piece, fill);
        if (taps !== 0) {
          // The first centre tap of this piece, then every kernel's.
          for (let i = ((((taps - 1) / 2 - at) % taps) + taps) % taps; i < piece.length; i += taps)
            piece[i] += centre;
        }
        outliers?.apply(name, shape, at, piece);
        if (dtype === "bf16") {
          const half = halves.subarray(0, piece.length);
          toBf16(piece, half);
          writeAll(file, new Uint8Array(half.buffer, 0, half.byteLength));
        } else {
          writeAll(file, new Uint8Array(piece.buffer, 0, piece.byteLength));
        }
      }
    }
    closeSync(file);
  } catch (error) {
    closeSync(file);
    rmSync(partial, { force: true });
    fail(`${path}: ${error.message}`);
  }
  renameSync(partial, path);
  return head.length + dataBytes;
}

function configOf(model, dtype) {
  const { layers, dims, mlp, hidden, ffn, depth, heads, kvHeads, vocab } = model;
  return {
    architectures: ["FastVlmForConditionalGeneration"],
    dtype: dtype === "bf16" ? "bfloat16" : "float32",
    image_seq_length: Math.ceil(model.image / 64) ** 2,
    image_token_index: model.imageToken,
    model_type: "fast_vlm",
    multimodal_projector_bias: true,
    projector_hidden_act: "gelu",
    text_config: {
      bos_token_id: model.bos,
      eos_token_id: model.eos,
      hidden_act: "silu",
      hidden_size: hidden,
      intermediate_size: ffn,
      max_position_embeddings: model.positions,
      model_type: "qwen2",
      num_attention_heads: heads,
      num_hidden_layers: depth,
      num_key_value_heads: kvHeads,
      rms_norm_eps: 1e-6,
      rope_parameters: { rope_theta: 1e6, rope_type: "default" },
      sliding_window: null,
      tie_word_embeddings: !model.untied,
      use_sliding_window: false,
      vocab_size: vocab,
    },
    tie_word_embeddings: !model.untied,
    vision_config: {
      architecture: "fastvit_mci3",
      do_pooling: true,
      hidden_size: 2 * dims[4],
      model_args: {
        embed_dims: dims,
        inference_mode: true,
        layers,
        mlp_ratios: layers.map(() => mlp),
      },
      model_type: "timm_wrapper",
    },
    vision_feature_layer: -1,
    vision_feature_select_strategy: "full",
  };
}

function preprocessorOf(model) {
  return {
    image_processor_type: "CLIPImageProcessor",
    do_resize: true,
    size: { shortest_edge: model.image },
    resample: 3,
    do_center_crop: true,
    crop_size: { height: model.image, width: model.image },
    do_rescale: true,
    rescale_factor: 1 / 255,
    do_normalize: true,
    image_mean: [0, 0, 0],
    image_std: [1, 1, 1],
    do_convert_rgb: true,
  };
}

const { out, model, dtype, seed, tokenizer, like, sparse, factor } = readOptions();
const start = performance.now();
mkdirSync(out, { recursive: true });
// Read and written anew: a copy would keep the permissions, read-only ones too.
const copy = (from, name) => writeFileSync(join(out, name), readFileSync(from));
if (tokenizer !== undefined) copy(tokenizer, "tokenizer.model");
if (like !== undefined) {
  for (const name of ["tokenizer_config.json", "generation_config.json"]) {
    if (existsSync(join(like, name))) copy(join(like, name), name);
  }
  // The other checkpoint's ids of the image and of the end of an answer belong to its tokenizer.
  const config = JSON.parse(readFileSync(join(like, "config.json"), "utf8"));
  model.imageToken = config.image_token_index ?? config.image_token_id ?? model.imageToken;
  model.eos = config.text_config?.eos_token_id ?? model.eos;
  model.bos = config.text_config?.bos_token_id ?? model.bos;
}
const bytes = sparse
  ? writeSparse(out, model, dtype)
  : writeWeights(join(out, "model.safetensors"), model, dtype, seed, factor);
writeFileSync(join(out, "config.json"), `${JSON.stringify(configOf(model, dtype), null, 2)}\n`);
writeFileSync(
  join(out, "preprocessor_config.json"),
  `${JSON.stringify(preprocessorOf(model), null, 2)}\n`,
);
process.stdout.write(
  `${out}: ${(bytes / 1e6).toFixed(1)} MB of ${dtype} weights in ${((performance.now() - start) / 1000).toFixed(1)} s\n`,
);
