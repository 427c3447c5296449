// tiny-vlm embed

import type { TinyVLM } from "../api/node.js";
import { TinyVLMError } from "../protocol/errors.js";
import { aboutTheImage, progress } from "./batch.js";
import type { Parsed, SdkCommand } from "./command.js";
import { loadingOutcomes, someFailed } from "./exit-codes.js";
import { wrongArgument } from "./flags.js";
import { imagePaths } from "./image-paths.js";
import { interruption } from "./interrupt.js";
import { askOptions, embedFlags, loadModel, namingFlags } from "./model-flags.js";
import { complain, StatusLine } from "./terminal.js";

export const embed: SdkCommand = {
  name: "embed",
  summary: "makes vectors of images, to find those that look alike",
  usage: "<images>... [flags]",
  about: [
    "Writes a line of JSON for each image to stdout: image, vector (numbers at a length of 1: the " +
      "sum of products of two vectors is their cosine similarity), error. An image that cannot be " +
      "read gives a line with an error and no vector, and the others go on.",
  ],
  wordsHelp: {
    "<images>":
      "Folders (the PNG and JPEG files in them), patterns in quotes, files, URLs, as of batch.",
  },
  words: "files",
  flags: embedFlags,
  examples: [["tiny-vlm embed photos > vectors.jsonl", "All PNG and JPEG files of a folder."]],
  outcomes: [...loadingOutcomes, "some_failed"],
  run,
};

interface Line {
  image: string;
  vector: number[] | null;
  error: string | null;
}

async function run(parsed: Parsed): Promise<void> {
  if (parsed.positionals.length === 0)
    throw wrongArgument("embed wants <images>: folders, patterns or files; found none");
  const images = imagePaths(parsed.positionals);
  const signal = interruption();
  const status = new StatusLine();
  const vlm = await loadModel(parsed, signal, status);
  const began = performance.now();
  let failed = 0;
  try {
    for (const [index, image] of images.entries()) {
      status.show(progress(index, images.length, failed, performance.now() - began, image));
      const line = await embedOne(vlm, image, parsed, signal, status);
      if (line.error !== null) failed++;
      status.clear();
      process.stdout.write(`${JSON.stringify(line)}\n`);
    }
  } finally {
    status.clear();
    await vlm.dispose();
  }
  if (failed > 0) process.exitCode = someFailed;
}

async function embedOne(
  vlm: TinyVLM,
  image: string,
  parsed: Parsed,
  signal: AbortSignal,
  status: StatusLine,
): Promise<Line> {
  const { exactPreprocess, strict } = askOptions(parsed);
  try {
    const { vector, warnings } = await namingFlags(() =>
      vlm.embed(image, { exactPreprocess, strict, signal }),
    );
    for (const warning of warnings) complain(`${image}: ${warning}`, "yellow", status);
    // As many digits as a float32 needs to be the same when it is read.
    return { image, vector: Array.from(vector, (value) => +value.toPrecision(9)), error: null };
  } catch (error) {
    if (!(error instanceof TinyVLMError && aboutTheImage.includes(error.code))) throw error;
    const why = `${error.code}: ${error.message}`;
    complain(`${image}: ${why}`, "yellow", status);
    return { image, vector: null, error: why };
  }
}
