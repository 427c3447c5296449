// What the tests of the built package share: the package itself, the sample images with their
// answers, the command line.

import { spawnSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import type * as Sdk from "../../src/node.js";

export const root = process.cwd();
export const dist = join(root, "dist");
export const samples = join(root, "examples-web", "samples");
export const model = join(dist, "model", "tiny-vlm-demo.gguf");

const missing = [
  join(dist, "wasm", "tiny-vlm-simd.wasm"),
  join(dist, "node.mjs"),
  model,
  join(samples, "samples.json"),
].find((path) => !existsSync(path));
if (missing && process.env["REQUIRE_SHARED"] === "1")
  throw new Error(`${missing} is missing: npm run build`);
/** Of every test: skipped where nothing is built. */
export const options: { skip?: string } = missing
  ? { skip: `${missing} is missing: npm run build` }
  : {};

interface Sample {
  image: string;
  questions: { question: string; answer: string }[];
}
export const images = missing
  ? []
  : (JSON.parse(readFileSync(join(samples, "samples.json"), "utf8")) as Sample[]);
export const { TinyVLM } = missing
  ? ({} as typeof Sdk)
  : ((await import(pathToFileURL(join(dist, "node.mjs")).href)) as typeof Sdk);

/** The first image, a question about it and the answer. */
export const first = join(samples, images[0]?.image ?? "");
export const { question: describe, answer: described } = images[0]?.questions[0] ?? {
  question: "",
  answer: "",
};

/** Runs the command line of the package. */
export function command(...args: string[]): { code: number | null; out: string; err: string } {
  const { status, stdout, stderr } = spawnSync(process.execPath, [join(dist, "cli.mjs"), ...args], {
    encoding: "utf8",
    cwd: root,
    timeout: 180_000,
  });
  return { code: status, out: stdout, err: stderr };
}
