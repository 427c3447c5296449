// onnxruntime-node in a process of its own: node onnxruntime-child.mjs {peers, model, threads,
// imageSize} as JSON; then "round" messages, answered with ms.
import { createRequire } from "node:module";
import { join } from "node:path";

const { peers, model, threads, imageSize } = JSON.parse(process.argv[2]);
const ort = createRequire(join(peers, "package.json"))("onnxruntime-node");
const session = await ort.InferenceSession.create(model, {
  executionProviders: ["cpu"],
  graphOptimizationLevel: "all",
  intraOpNumThreads: threads,
  interOpNumThreads: 1,
  freeDimensionOverrides: { height: imageSize, width: imageSize },
});

process.on("message", async ({ round }) => {
  const pixels = Float32Array.from(
    { length: 3 * imageSize ** 2 },
    (_, i) => ((i * 31 + round * 17) % 256) / 255,
  );
  const feeds = { pixel_values: new ort.Tensor("float32", pixels, [1, 3, imageSize, imageSize]) };
  const start = performance.now();
  await session.run(feeds);
  process.send({ value: performance.now() - start });
});
process.send({ ready: true });
