// A small writer of ONNX models: nodes and f32 tensors, as protobuf. Field numbers are those of
// onnx.proto.
import { closeSync, openSync, renameSync, writeSync } from "node:fs";

const VARINT = 0;
const BYTES = 2;
const FIXED32 = 5;
const FLOAT = 1;
const INT64 = 7;

/**
 * A protobuf message in the making: pieces that are joined only when they are written, because
 * weights are large.
 */
class Message {
  pieces = [];
  length = 0;

  add(bytes) {
    this.pieces.push(bytes);
    this.length += bytes.length;
    return this;
  }

  varint(value) {
    const bytes = [];
    for (let rest = BigInt.asUintN(64, BigInt(value)); ; rest >>= 7n) {
      bytes.push(Number(rest & 127n) | (rest > 127n ? 128 : 0));
      if (rest <= 127n) break;
    }
    return this.add(Buffer.from(bytes));
  }

  key(field, kind) {
    return this.varint((field << 3) | kind);
  }

  int(field, value) {
    return this.key(field, VARINT).varint(value);
  }

  float(field, value) {
    const bytes = Buffer.alloc(4);
    bytes.writeFloatLE(value);
    return this.key(field, FIXED32).add(bytes);
  }

  bytes(field, bytes) {
    return this.key(field, BYTES).varint(bytes.length).add(bytes);
  }

  text(field, text) {
    return this.bytes(field, Buffer.from(text));
  }

  message(field, message) {
    this.key(field, BYTES).varint(message.length);
    for (const piece of message.pieces) this.add(piece);
    return this;
  }
}

function attribute(name, value) {
  const message = new Message().text(1, name);
  if (Array.isArray(value)) {
    for (const item of value) message.int(8, item);
    return message.int(20, 7);
  }
  if (typeof value === "number" && Number.isInteger(value)) return message.int(3, value).int(20, 2);
  return message.float(2, value).int(20, 1);
}

/** A graph to which operations are added in the order in which they run. */
export class OnnxGraph {
  #nodes = [];
  #tensors = new Map();
  #inputs = [];
  #outputs = [];

  /**
   * Declares an input or output of f32; numbers are sizes, strings names of sizes that are known at
   * run time.
   */
  #declare(name, shape) {
    const dims = new Message();
    for (const size of shape)
      dims.message(
        1,
        typeof size === "number" ? new Message().int(1, size) : new Message().text(2, size),
      );
    const tensor = new Message().int(1, FLOAT).message(2, dims);
    return new Message().text(1, name).message(2, new Message().message(1, tensor));
  }

  input(name, shape) {
    this.#inputs.push(this.#declare(name, shape));
    return name;
  }

  output(name, shape) {
    this.#outputs.push(this.#declare(name, shape));
  }

  /** A constant of f32; returns its name. */
  constant(name, shape, values) {
    const bytes = Buffer.from(values.buffer, values.byteOffset, values.byteLength);
    return this.#tensor(name, shape, FLOAT, bytes);
  }

  /** A constant list of whole numbers, as shapes are; the same list gets the same name. */
  ints(values) {
    return this.#tensor(
      `ints_${values.join("_")}`,
      [values.length],
      INT64,
      Buffer.from(BigInt64Array.from(values, BigInt).buffer),
    );
  }

  #tensor(name, shape, type, bytes) {
    if (!this.#tensors.has(name)) {
      const message = new Message();
      for (const size of shape) message.int(1, size);
      this.#tensors.set(name, message.int(2, type).text(8, name).bytes(9, bytes));
    }
    return name;
  }

  /**
   * Adds an operation with one output, whose name it returns. `name` may give it a name; the others
   * are numbered.
   */
  node(type, inputs, attributes = {}, name = `${type}_${this.#nodes.length}`) {
    return this.nodes(type, inputs, attributes, [name])[0];
  }

  /** Adds an operation with several outputs. */
  nodes(type, inputs, attributes, outputs) {
    const message = new Message();
    for (const input of inputs) message.text(1, input);
    for (const output of outputs) message.text(2, output);
    message.text(3, outputs[0]).text(4, type);
    for (const [name, value] of Object.entries(attributes))
      message.message(5, attribute(name, value));
    this.#nodes.push(message);
    return outputs;
  }

  /** Writes the model for operator set `opset`. */
  write(path, { opset, irVersion }) {
    const graph = new Message();
    for (const node of this.#nodes) graph.message(1, node);
    graph.text(2, "main");
    for (const tensor of this.#tensors.values()) graph.message(5, tensor);
    for (const input of this.#inputs) graph.message(11, input);
    for (const output of this.#outputs) graph.message(12, output);
    const model = new Message()
      .int(1, irVersion)
      .text(2, "tiny-vlm bench")
      .message(7, graph)
      .message(8, new Message().text(1, "").int(2, opset));
    const file = openSync(`${path}.partial`, "w");
    for (const piece of model.pieces) {
      for (let at = 0; at < piece.length;) at += writeSync(file, piece, at);
    }
    closeSync(file);
    renameSync(`${path}.partial`, path);
  }
}
