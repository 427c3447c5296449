// tiny-vlm pull

import { once } from "node:events";
import { createInterface } from "node:readline/promises";
import { TinyVLM } from "../api/node.js";
import type { WeightType } from "../protocol/options.generated.js";
import { TinyVLMError } from "../protocol/errors.js";
import type { Parsed, SdkCommand } from "./command.js";
import { loadingOutcomes } from "./exit-codes.js";
import { wrongArgument } from "./flags.js";
import { describeRepository, hubHeaders, type HubRepository } from "./hub.js";
import { interruption } from "./interrupt.js";
import { typeFlag } from "./model-flags.js";
import { complain, loadingLine, megabytes, StatusLine } from "./terminal.js";

export const pull: SdkCommand = {
  name: "pull",
  summary: "fetches a model or a checkpoint, to be kept here",
  usage: "<source> [flags]",
  about: [
    "Fetches a model, so that later commands need no network. A FastVLM checkpoint is converted " +
      "on the way: what is kept is one model file. Interrupted, it goes on where it was.",
  ],
  wordsHelp: {
    "<source>":
      "hf:owner/repository[@revision] (a checkpoint), hf:owner/repository/file.gguf, a model's " +
      "URL, or the URL of a checkpoint's folder (ends in /).",
  },
  words: "none",
  flags: {
    ...typeFlag,
    "--yes": {
      kind: "switch",
      short: "-y",
      help: "Does not ask after showing licence and size.",
    },
    "--json": {
      kind: "switch",
      help: "What was fetched as one line of JSON: { source, type, name, fileBytes, folder, licence }.",
    },
  },
  notes: [
    "HF_ENDPOINT is the hub's address; HF_TOKEN goes to it, and nowhere else, as a bearer token.",
  ],
  examples: [
    [
      "tiny-vlm pull hf:owner/FastVLM-0.5B --type q4_0",
      "Shows licence and size, asks, fetches and converts.",
    ],
    ["tiny-vlm pull https://example.com/fastvlm.gguf --yes", "A model file, without a question."],
  ],
  outcomes: [...loadingOutcomes, "aborted"],
  run,
};

/** Fetches a model or a checkpoint, which is converted, so that later commands find it here. */
async function run({ positionals, switches, texts }: Parsed): Promise<void> {
  const [source, ...more] = positionals;
  if (!source || more.length > 0) {
    const found = positionals.map((word) => JSON.stringify(word)).join(" ") || "none";
    throw wrongArgument(`pull wants one <source>, found ${found}`);
  }
  const type = (texts.get("--type")?.[0] ?? "q8_0") as WeightType;
  const signal = interruption();
  const repository = await describeRepository(source, signal);
  if (repository) show(repository);
  if (!switches.has("--yes")) await confirm(signal);
  const line = new StatusLine();
  const vlm = await TinyVLM.load(source, {
    ...hubHeaders(source),
    type,
    threads: 1,
    signal,
    onProgress: loadingLine(line),
    onWarning: (warning) => complain(warning, "yellow", line),
  }).finally(() => line.clear());
  const { name, fileBytes } = vlm.info;
  await vlm.dispose();
  const { folder } = TinyVLM.cache;
  process.stdout.write(
    switches.has("--json")
      ? `${JSON.stringify({ source, type, name, fileBytes, folder, licence: repository?.licence })}\n`
      : `${name}: ${megabytes(fileBytes)}, kept in ${folder}\n` +
          `tiny-vlm ask <image> <question> --model ${source} --type ${type}\n`,
  );
}

function show({ name, revision, licence, isGated, bytes }: HubRepository): void {
  process.stderr.write(
    `${name}, revision ${revision}\n` +
      `licence: ${licence}${isGated ? ", gated" : ""}\n` +
      `to be fetched: at most ${megabytes(bytes)}\n`,
  );
}

async function confirm(signal: AbortSignal): Promise<void> {
  if (!process.stdin.isTTY) throw wrongArgument("nobody to ask here: --yes fetches without asking");
  const line = createInterface({ input: process.stdin, output: process.stderr });
  // At a prompt Ctrl-C is a key, not a signal.
  line.on("SIGINT", () => process.kill(process.pid, "SIGINT"));
  const closed = once(line, "close").then(() => "");
  try {
    const answer = await Promise.race([line.question("Fetch it? [y/N] ", { signal }), closed]);
    if (!/^y(es)?$/i.test(answer.trim())) throw new TinyVLMError("aborted", "not fetched");
  } finally {
    line.close();
  }
}
