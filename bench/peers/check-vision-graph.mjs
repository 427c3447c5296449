#!/usr/bin/env node
// Does the ONNX graph that the bench times compute what our tower computes? Both from the same
// checkpoint, in f32, on one image of 256 pixels:
//   node bench/peers/check-vision-graph.mjs        after npm run bench has made engines and models
//   under .bench
// Prints the largest difference against the largest value; fails above 1e-4.
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import { root, run } from "../../scripts/toolchain.mjs";

const SIDE = 256;
const BOUND = 1e-4;
const bench = join(root, ".bench");
const cli = join(root, "build", "release", "cpp", "cli", "tiny-vlm");
const work = mkdtempSync(join(bench, "check-"));
try {
  const pixels = Float32Array.from(
    { length: 3 * SIDE * SIDE },
    (_, i) => ((i * 31 + 7) % 256) / 255,
  );
  const ids = BigInt64Array.of(5n, -200n, 6n);
  const header = JSON.stringify({
    pixel_values: { dtype: "F32", shape: [1, 3, SIDE, SIDE], data_offsets: [0, pixels.byteLength] },
    prompt_ids: {
      dtype: "I64",
      shape: [ids.length],
      data_offsets: [pixels.byteLength, pixels.byteLength + ids.byteLength],
    },
  });
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(header.length));
  const [model, input, output] = ["model.gguf", "case.safetensors", "out.safetensors"].map((name) =>
    join(work, name),
  );
  writeFileSync(
    input,
    Buffer.concat([
      length,
      Buffer.from(header),
      Buffer.from(pixels.buffer),
      Buffer.from(ids.buffer),
    ]),
  );
  run(
    cli,
    [
      "convert",
      join(bench, "models", "0.5b"),
      "-o",
      model,
      "--type",
      "q4_0",
      "--vision-type",
      "f32",
      "--chat-style",
      "qwen_2",
    ],
    { quiet: true },
  );
  run(cli, ["trace", model, "--case", input, "-o", output], { quiet: true });

  const file = readFileSync(output);
  const dataStart = 8 + Number(file.readBigUInt64LE(0));
  const { projector } = JSON.parse(file.toString("utf8", 8, dataStart));
  const [begin, end] = projector.data_offsets;
  const ours = new Float32Array(
    Uint8Array.from(file.subarray(dataStart + begin, dataStart + end)).buffer,
  );

  const ort = createRequire(join(bench, "peers", "package.json"))("onnxruntime-node");
  const session = await ort.InferenceSession.create(join(bench, "models", "vision-f32.onnx"));
  const { rows } = await session.run({
    pixel_values: new ort.Tensor("float32", pixels, [1, 3, SIDE, SIDE]),
  });
  if (rows.data.length !== ours.length)
    throw new Error(`${ours.length} values wanted, ${rows.data.length} found`);
  let largest = 0;
  let difference = 0;
  for (let i = 0; i < ours.length; ++i) {
    largest = Math.max(largest, Math.abs(ours[i]));
    difference = Math.max(difference, Math.abs(ours[i] - rows.data[i]));
  }
  const relative = difference / largest;
  console.log(
    `largest difference ${relative.toExponential(1)} of the largest value (${largest.toFixed(1)})`,
  );
  if (!(relative <= BOUND)) process.exitCode = 1;
} finally {
  rmSync(work, { recursive: true, force: true });
}
