// FastViTHD and the projector of a checkpoint (bf16 or f32, transformers' names) as an ONNX graph
// in f32, for any height and width. Images come in as exporters write it: channels first, 1x1
// convolutions as Conv, attention on tokens; onnxruntime folds BatchNorm and layer scales by
// itself.
import { closeSync, openSync, readSync } from "node:fs";
import { OnnxGraph } from "./onnx-writer.mjs";

const TOWER = "model.vision_tower.timm_model.";
const HEAD_DIM = 32;
const EPSILON = 1e-5;

/** The tensors of one safetensors file, read when asked for, in f32. */
class Checkpoint {
  constructor(path) {
    this.file = openSync(path, "r");
    const length = Number(this.#bytes(0, 8).readBigUInt64LE(0));
    this.tensors = JSON.parse(this.#bytes(8, length).toString("utf8"));
    this.dataStart = 8 + length;
  }

  #bytes(at, count) {
    const bytes = Buffer.alloc(count);
    for (let done = 0; done < count;) {
      const read = readSync(this.file, bytes, done, count - done, at + done);
      if (read === 0) throw new Error("the checkpoint ends early");
      done += read;
    }
    return bytes;
  }

  has(name) {
    return name in this.tensors;
  }

  /** {shape, values} of a tensor. */
  get(name) {
    const {
      dtype,
      shape,
      data_offsets: [begin, end],
    } = this.tensors[name];
    const bytes = this.#bytes(this.dataStart + begin, end - begin);
    if (dtype === "F32")
      return { shape, values: new Float32Array(bytes.buffer, bytes.byteOffset, bytes.length / 4) };
    if (dtype !== "BF16") throw new Error(`${name}: BF16 or F32 wanted, ${dtype} found`);
    const halves = new Uint16Array(bytes.buffer, bytes.byteOffset, bytes.length / 2);
    const bits = new Uint32Array(halves.length);
    for (let i = 0; i < bits.length; ++i) bits[i] = halves[i] << 16;
    return { shape, values: new Float32Array(bits.buffer) };
  }

  close() {
    closeSync(this.file);
  }
}

/** [rows, columns] -> [columns, rows]. */
function transposed(values, rows, columns) {
  const out = new Float32Array(values.length);
  for (let r = 0; r < rows; ++r) {
    for (let c = 0; c < columns; ++c) out[c * rows + r] = values[r * columns + c];
  }
  return out;
}

/** Builds the graph block by block. */
class TowerGraph {
  graph = new OnnxGraph();

  constructor(checkpoint) {
    this.checkpoint = checkpoint;
  }

  constant(name) {
    const { shape, values } = this.checkpoint.get(name);
    return this.graph.constant(name, shape, values);
  }

  gelu(x) {
    return this.graph.node("Gelu", [x]);
  }

  /**
   * A convolution with "same" padding over `inputs` channels; depthwise where the kernel has one
   * input channel.
   */
  conv(x, name, { stride = 1, inputs }) {
    const [, perGroup, kernel] = this.checkpoint.tensors[`${name}.weight`].shape;
    const pad = (kernel - 1) / 2;
    const operands = [x, this.constant(`${name}.weight`)];
    if (this.checkpoint.has(`${name}.bias`)) operands.push(this.constant(`${name}.bias`));
    return this.graph.node("Conv", operands, {
      kernel_shape: [kernel, kernel],
      strides: [stride, stride],
      pads: [pad, pad, pad, pad],
      group: inputs / perGroup,
    });
  }

  /** x W^T (+ b) over the last axis. */
  linear(x, name) {
    const {
      shape: [rows, columns],
      values,
    } = this.checkpoint.get(`${name}.weight`);
    const product = this.graph.node("MatMul", [
      x,
      this.graph.constant(
        `${name}.weight.transposed`,
        [columns, rows],
        transposed(values, rows, columns),
      ),
    ]);
    return this.checkpoint.has(`${name}.bias`)
      ? this.graph.node("Add", [product, this.constant(`${name}.bias`)])
      : product;
  }

  convFfn(x, block, c) {
    const depthwise = this.conv(x, `${block}mlp.conv.conv`, { inputs: c });
    const statistics = ["weight", "bias", "running_mean", "running_var"].map((part) =>
      this.constant(`${block}mlp.conv.bn.${part}`),
    );
    const normal = this.graph.node("BatchNormalization", [depthwise, ...statistics], {
      epsilon: EPSILON,
    });
    const hidden = this.gelu(this.conv(normal, `${block}mlp.fc1`, { inputs: c }));
    return this.conv(hidden, `${block}mlp.fc2`, {
      inputs: this.checkpoint.tensors[`${block}mlp.fc1.weight`].shape[0],
    });
  }

  /** x + gamma y */
  residual(x, y, gamma) {
    return this.graph.node("Add", [x, this.graph.node("Mul", [y, this.constant(gamma)])]);
  }

  /** [1, C, H, W] -> [1, H W, C] */
  tokens(x, c) {
    return this.graph.node(
      "Transpose",
      [this.graph.node("Reshape", [x, this.graph.ints([1, c, -1])])],
      { perm: [0, 2, 1] },
    );
  }

  attention(x, block, c) {
    const { graph } = this;
    const heads = c / HEAD_DIM;
    const normal = graph.node(
      "LayerNormalization",
      [this.tokens(x, c), this.constant(`${block}norm.weight`), this.constant(`${block}norm.bias`)],
      { axis: -1, epsilon: EPSILON },
    );
    const names = ["q", "k", "v"].map((part) => `${block}${part}`);
    graph.nodes(
      "Split",
      [this.linear(normal, `${block}token_mixer.qkv`)],
      { axis: 2, num_outputs: 3 },
      names,
    );
    const [q, k, v] = names.map((part, i) => {
      const split = graph.node("Reshape", [part, graph.ints([1, -1, heads, HEAD_DIM])]);
      return graph.node("Transpose", [split], { perm: i === 1 ? [0, 2, 3, 1] : [0, 2, 1, 3] });
    });
    const scaled = graph.node("Mul", [
      q,
      graph.constant("attention_scale", [1], Float32Array.of(HEAD_DIM ** -0.5)),
    ]);
    const weights = graph.node("Softmax", [graph.node("MatMul", [scaled, k])], { axis: -1 });
    const mixed = graph.node("Transpose", [graph.node("MatMul", [weights, v])], {
      perm: [0, 2, 1, 3],
    });
    const out = this.linear(
      graph.node("Reshape", [mixed, graph.ints([1, -1, c])]),
      `${block}token_mixer.proj`,
    );
    return graph.node("Reshape", [
      graph.node("Transpose", [out], { perm: [0, 2, 1] }),
      graph.node("Shape", [x]),
    ]);
  }

  build() {
    const { graph, checkpoint } = this;
    const dims = [checkpoint.tensors[`${TOWER}stem.0.reparam_conv.bias`].shape[0]];
    let x = graph.input("pixel_values", [1, 3, "height", "width"]);
    x = this.gelu(this.conv(x, `${TOWER}stem.0.reparam_conv`, { stride: 2, inputs: 3 }));
    x = this.gelu(this.conv(x, `${TOWER}stem.1.reparam_conv`, { stride: 2, inputs: dims[0] }));
    x = this.gelu(this.conv(x, `${TOWER}stem.2.reparam_conv`, { inputs: dims[0] }));
    for (let s = 0; checkpoint.has(`${TOWER}stages.${s}.blocks.0.mlp.fc1.bias`); ++s) {
      const stage = `${TOWER}stages.${s}.`;
      if (s > 0) {
        dims.push(checkpoint.tensors[`${stage}downsample.proj.1.reparam_conv.bias`].shape[0]);
        x = this.gelu(
          this.conv(x, `${stage}downsample.proj.0.reparam_conv`, {
            stride: 2,
            inputs: dims[s - 1],
          }),
        );
        x = this.gelu(this.conv(x, `${stage}downsample.proj.1.reparam_conv`, { inputs: dims[s] }));
      }
      const c = dims[s];
      if (checkpoint.has(`${stage}pos_emb.reparam_conv.bias`))
        x = this.conv(x, `${stage}pos_emb.reparam_conv`, { inputs: c });
      for (let b = 0; checkpoint.has(`${stage}blocks.${b}.mlp.fc1.bias`); ++b) {
        const block = `${stage}blocks.${b}.`;
        if (checkpoint.has(`${block}norm.bias`)) {
          x = this.residual(x, this.attention(x, block, c), `${block}layer_scale_1.gamma`);
          x = this.residual(x, this.convFfn(x, block, c), `${block}layer_scale_2.gamma`);
        } else {
          x = this.conv(x, `${block}token_mixer.reparam_conv`, { inputs: c });
          x = this.residual(x, this.convFfn(x, block, c), `${block}layer_scale.gamma`);
        }
      }
    }
    const features = 2 * dims.at(-1);
    x = this.conv(x, `${TOWER}final_conv.reparam_conv`, { inputs: dims.at(-1) });
    const squeezed = graph.node("Relu", [
      this.conv(graph.node("GlobalAveragePool", [x]), `${TOWER}final_conv.se.fc1`, {
        inputs: features,
      }),
    ]);
    const gate = graph.node("Sigmoid", [
      this.conv(squeezed, `${TOWER}final_conv.se.fc2`, {
        inputs: checkpoint.tensors[`${TOWER}final_conv.se.fc1.bias`].shape[0],
      }),
    ]);
    x = this.tokens(this.gelu(graph.node("Mul", [x, gate])), features);
    const hidden = this.gelu(this.linear(x, "model.multi_modal_projector.linear_1"));
    const projected = this.linear(hidden, "model.multi_modal_projector.linear_2");
    graph.node("Identity", [projected], {}, "rows");
    graph.output("rows", [
      1,
      "tokens",
      checkpoint.tensors["model.multi_modal_projector.linear_2.bias"].shape[0],
    ]);
    return graph;
  }
}

/**
 * Writes tower and projector of the checkpoint `from` (a safetensors file) to `to`: "pixel_values"
 * [1, 3, height, width] -> "rows" [1, tokens, width].
 */
export function writeVisionGraph(from, to) {
  const checkpoint = new Checkpoint(from);
  new TowerGraph(checkpoint).build().write(to, { opset: 20, irVersion: 9 });
  checkpoint.close();
}
