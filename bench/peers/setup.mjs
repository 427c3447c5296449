// What the bench needs beside the package: the other engines, from npm, and models of the true size
// with random weights that all of them read.
import { copyFileSync, existsSync, mkdirSync, readFileSync, renameSync, rmSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { folderBytes, megabytes, present, step } from "../../scripts/setup/steps.mjs";
import { root, run } from "../../scripts/toolchain.mjs";
import { writeTextModel } from "./text-model.mjs";
import { writeTokenizer } from "./tokenizer.mjs";
import { writeVisionGraph } from "./vision-graph.mjs";

const here = dirname(fileURLToPath(import.meta.url));

/** node-llama-cpp's package of ready-built binaries (CPU) for this machine. */
function llamaBinaries() {
  const { platform, arch } = process;
  if (platform === "darwin")
    return arch === "arm64" ? "@node-llama-cpp/mac-arm64-metal" : "@node-llama-cpp/mac-x64";
  return `@node-llama-cpp/${platform === "win32" ? "win" : platform}-${arch}`;
}

/**
 * Installs the engines of bench/peers/package.json under `folder`, where they are missing or of
 * other versions. Returns their versions by name.
 */
export async function setUpPeers(folder) {
  const { dependencies } = JSON.parse(readFileSync(join(here, "package.json"), "utf8"));
  const binaries = llamaBinaries();
  const wanted = { ...dependencies, [binaries]: dependencies["node-llama-cpp"] };
  const installed = (name) => {
    const path = join(folder, "node_modules", name, "package.json");
    return existsSync(path) ? JSON.parse(readFileSync(path, "utf8")).version : null;
  };
  if (Object.entries(wanted).every(([name, version]) => installed(name) === version))
    present("engines to compare with", folder);
  else {
    await step("engines to compare with (npm, without their install scripts)", () => {
      rmSync(folder, { recursive: true, force: true });
      mkdirSync(folder, { recursive: true });
      for (const name of ["package.json", "package-lock.json"])
        copyFileSync(join(here, name), join(folder, name));
      // Optional packages are binaries for other machines and GPUs; of these only this machine's
      // own are wanted.
      const options = [
        "--no-save",
        "--ignore-scripts",
        "--omit=optional",
        "--no-audit",
        "--no-fund",
        "--loglevel=error",
      ];
      run("npm", ["install", ...options, `${binaries}@${wanted[binaries]}`], {
        cwd: folder,
        quiet: true,
      });
      return `${megabytes(folderBytes(folder))} on disk`;
    });
  }
  return dependencies;
}

/**
 * Makes the models under `folder` that are missing, with `cli`, the native command line:
 *   0.5b/              a checkpoint of FastVLM-0.5B's size, bf16, with a generated Qwen2 tokenizer
 *   vision-q8_0.gguf   ours, Q8_0 throughout; vision-q5_0.gguf: ours of type q4_0, whose tower is
 *                      Q5_0 and embedding Q8_0
 *   text-q4_0.gguf     the decoder of the latter alone, for llama.cpp, wllama and us
 *   vision-f32.onnx    tower and projector of the checkpoint, for onnxruntime
 * Returns their paths.
 */
export async function makeModels(folder, cli) {
  mkdirSync(folder, { recursive: true });
  const checkpoint = join(folder, "0.5b");
  const models = Object.fromEntries(
    ["vision-q8_0.gguf", "vision-q5_0.gguf", "text-q4_0.gguf", "vision-f32.onnx"].map((name) => [
      name,
      join(folder, name),
    ]),
  );
  const make = async (path, name, work) => {
    if (existsSync(path)) return present(name, path);
    await step(name, work);
  };
  await make(checkpoint, "checkpoint of 0.5B size", () => {
    const partial = `${checkpoint}.partial`;
    run(
      process.execPath,
      [join(root, "tools", "generate-checkpoint.mjs"), partial, "--size", "0.5b"],
      { quiet: true },
    );
    writeTokenizer(partial);
    renameSync(partial, checkpoint);
  });
  for (const [type, tower] of [
    ["q8_0", "q8_0"],
    ["q4_0", "q5_0"],
  ]) {
    const path = models[`vision-${tower}.gguf`];
    await make(
      path,
      `our model, ${type}`,
      () =>
        void run(
          cli,
          ["convert", checkpoint, "-o", path, "--type", type, "--chat-style", "qwen_2"],
          { quiet: true },
        ),
    );
  }
  await make(models["text-q4_0.gguf"], "its decoder as a llama.cpp model", () =>
    writeTextModel(models["vision-q5_0.gguf"], models["text-q4_0.gguf"]),
  );
  await make(models["vision-f32.onnx"], "its tower as an ONNX graph, f32", () =>
    writeVisionGraph(join(checkpoint, "model.safetensors"), models["vision-f32.onnx"]),
  );
  return models;
}
