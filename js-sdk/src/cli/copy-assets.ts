// tiny-vlm copy-assets

import { cpSync, existsSync, mkdirSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { demoModelFile } from "../api/assets.js";
import { TinyVLMError } from "../protocol/errors.js";
import type { Parsed, SdkCommand } from "./command.js";
import { wrongArgument } from "./flags.js";

// What a page fetches at run time, as it is called in the package's folder `dist`.
const pageFiles = [
  "worker.mjs",
  "worker-mt.mjs",
  "storage.mjs",
  "page-parts.mjs",
  "wasm",
  "convert",
];

export const copyAssets: SdkCommand = {
  name: "copy-assets",
  summary: "copies the files that a page needs at run time",
  usage: "<folder> [flags]",
  about: [
    "Copies what a page fetches at run time (workers, wasm files, what converts checkpoints) to a " +
      "folder that your server serves. For bundlers that copy no files of packages (Rollup, " +
      "esbuild): the option assetsUrl of TinyVLM.load is that folder's address.",
  ],
  wordsHelp: { "<folder>": "Where to; it is made where it is missing." },
  words: "files",
  flags: { "--demo-model": { kind: "switch", help: "The demo model too (6.3 MB)." } },
  examples: [
    [
      "tiny-vlm copy-assets public/tiny-vlm",
      'In the page: TinyVLM.load(source, { assetsUrl: "/tiny-vlm/" })',
    ],
  ],
  outcomes: ["invalid_argument", "not_found", "io"],
  run,
};

async function run({ positionals, switches }: Parsed): Promise<void> {
  const [folder, ...more] = positionals;
  if (folder === undefined || more.length > 0)
    throw wrongArgument(
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
