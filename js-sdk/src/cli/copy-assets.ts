// tiny-vlm copy-assets

import { cpSync, existsSync, mkdirSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { demoModelFile } from "../api/assets.js";
import { TinyVLMError } from "../protocol/errors.js";
import { parseFlags } from "./flags.js";
import { copyAssetsHelp } from "./help.js";

// What a page fetches at run time, as it is called in the package's folder `dist`.
const pageFiles = ["worker.mjs", "worker-mt.mjs", "storage.mjs", "wasm", "convert"];

/** Copies what a page fetches at run time, for bundlers that copy no files. */
export function copyAssets(args: string[]): void {
  const { positionals, switches } = parseFlags(args, {
    "--demo-model": "switch",
    "--help": "switch",
    "-h": "switch",
  });
  if (switches.has("--help") || switches.has("-h"))
    return void process.stdout.write(copyAssetsHelp);
  const [folder, ...more] = positionals;
  if (folder === undefined || more.length > 0)
    throw new TinyVLMError(
      "invalid_argument",
      `copy-assets wants one folder, found ${positionals.length}; see tiny-vlm copy-assets --help`,
    );
  const names = switches.has("--demo-model") ? [...pageFiles, demoModelFile] : pageFiles;
  const dist = dirname(fileURLToPath(import.meta.url));
  for (const name of names) copy(join(dist, name), join(folder, name));
  process.stdout.write(`copied to ${folder}: ${names.join(", ")}\n`);
}

function copy(from: string, to: string): void {
  if (!existsSync(from)) throw new TinyVLMError("not_found", `${from} is missing in the package`);
  try {
    mkdirSync(dirname(to), { recursive: true });
    cpSync(from, to, { recursive: true });
  } catch (cause) {
    throw new TinyVLMError("io", `${to} could not be written: ${(cause as Error).message}`, {
      cause,
    });
  }
}
