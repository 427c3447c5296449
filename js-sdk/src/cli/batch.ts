// tiny-vlm batch

import type { TinyVLM } from "../api/node.js";
import { TinyVLMError, type ErrorCode } from "../protocol/errors.js";
import { fileRows, stdoutRows, type BatchOutput } from "./batch-output.js";
import { formatNames, rowFormats, type Row, type RowFormat } from "./batch-rows.js";
import type { Parsed, SdkCommand } from "./command.js";
import { loadingOutcomes, someFailed } from "./exit-codes.js";
import { textOf, wrongArgument } from "./flags.js";
import { imagePaths } from "./image-paths.js";
import { interruption } from "./interrupt.js";
import { askOptions, loadModel, modelFlags, namingFlags } from "./model-flags.js";
import { complain, duration, StatusLine } from "./terminal.js";

export const batch: SdkCommand = {
  name: "batch",
  summary: "asks about many images; a row for each, resumable",
  usage: "<images>... --question QUESTION [flags]",
  about: [
    "Asks the same question about each image, and writes a row for each as soon as it is " +
      "answered: image, question, answer, finishReason, tokens (of the answer), ms, error. An " +
      "image that cannot be read gives a row with an error, and the others go on.",
    "With --output the same command goes on after an interruption: images that have a row for " +
      "this question are not asked again, and a last row that a crash has cut is written anew.",
  ],
  wordsHelp: {
    "<images>":
      "Folders (the PNG and JPEG files in them), patterns in quotes (*, ?, [a-z], {a,b}, ** for " +
      "folders of any depth), files, URLs. Images are named in rows as they are named here.",
  },
  words: "files",
  flags: {
    "--question": { kind: "text", value: "QUESTION", help: "What is asked about each image." },
    "--output": {
      kind: "text",
      short: "-o",
      value: "FILE",
      help: "Where rows go: .jsonl (JSON Lines) or .csv. Default: JSON Lines on stdout.",
    },
    "--format": {
      kind: "text",
      choices: formatNames,
      help: "The format of rows, where the ending of --output does not tell it.",
    },
    "--retry": {
      kind: "switch",
      help: "Asks again about images whose row in --output has an error.",
    },
    "--overwrite": { kind: "switch", help: "Begins --output anew." },
    ...modelFlags,
  },
  examples: [
    [
      'tiny-vlm batch photos --question "What is this?" --output answers.csv',
      "All PNG and JPEG files of a folder.",
    ],
    [
      'tiny-vlm batch "scans/**/*.png" --question "Which date?" | jq -r .answer',
      "The answers alone, as they come.",
    ],
  ],
  outcomes: [...loadingOutcomes, "some_failed"],
  run,
};

/** Errors that are about one image; any other would meet the next image, too. */
export const aboutTheImage: readonly ErrorCode[] = [
  "not_found",
  "invalid_file",
  "unsupported",
  "invalid_image",
  "context_full",
  "out_of_memory",
  "io",
  "network",
  "http",
];

interface Task {
  question: string;
  images: string[];
  output: BatchOutput;
  line: StatusLine;
  signal: AbortSignal;
}

async function run(parsed: Parsed): Promise<void> {
  const question = textOf(parsed, "--question");
  if (question === undefined) throw wrongArgument("batch wants --question QUESTION, found none");
  if (parsed.positionals.length === 0)
    throw wrongArgument("batch wants <images>: folders, patterns or files; found none");
  askOptions(parsed); // wrong values are told before anything is opened
  const images = imagePaths(parsed.positionals);
  const output = openOutput(parsed);
  const line = new StatusLine();
  const task: Task = { question, images, output, line, signal: interruption() };
  const isOurs = (row: Row) => row.question === question;
  const earlier = new Map(output.earlier.filter(isOurs).map((row) => [row.image, row]));
  const waiting = images.filter((image) => !earlier.has(image));
  const failedBefore = images.filter((image) => earlier.get(image)?.error).length;
  let done: Counts = { answered: 0, failed: 0 };
  try {
    if (waiting.length > 0) {
      const vlm = await loadModel(parsed, task.signal, line);
      try {
        done = await askAll(vlm, { ...task, images: waiting }, parsed);
      } finally {
        await vlm.dispose();
      }
    }
  } finally {
    line.clear();
    output.close();
  }
  const failed = done.failed + failedBefore;
  const before = earlier.size > 0 ? `; ${images.length - waiting.length} had a row before` : "";
  const all = images.length === 1 ? "1 image" : `${images.length} images`;
  line.print(`${all}: ${images.length - failed} answered, ${failed} failed${before}`);
  if (failed > 0) process.exitCode = someFailed;
}

interface Counts {
  answered: number;
  failed: number;
}

/** Asks about every image of the task; throws `aborted` after Ctrl-C. */
async function askAll(vlm: TinyVLM, task: Task, parsed: Parsed): Promise<Counts> {
  const { images, output, line, signal } = task;
  const counts: Counts = { answered: 0, failed: 0 };
  const began = performance.now();
  for (const [index, image] of images.entries()) {
    line.show(progress(index, images.length, counts.failed, performance.now() - began, image));
    let row: Row;
    try {
      row = await askOne(vlm, task, image, parsed);
    } catch (error) {
      if (signal.aborted)
        line.print(
          `interrupted: ${index} of ${images.length} images have their row; ` +
            "the same command goes on with the others",
        );
      throw error;
    }
    output.add(row);
    if (row.error === null) counts.answered++;
    else {
      counts.failed++;
      complain(`${image}: ${row.error}`, "yellow", line);
    }
  }
  return counts;
}

async function askOne(
  vlm: TinyVLM,
  { question, line, signal }: Task,
  image: string,
  parsed: Parsed,
): Promise<Row> {
  const options = { ...askOptions(parsed), signal };
  const row = { image, question };
  try {
    const { text, finishReason, warnings, usage, timings } = await namingFlags(() =>
      vlm.ask(image, question, options),
    );
    for (const warning of warnings) complain(`${image}: ${warning}`, "yellow", line);
    const numbers = { tokens: usage.completionTokens, ms: Math.round(timings.totalMs) };
    return { ...row, answer: text, finishReason, ...numbers, error: null };
  } catch (error) {
    if (!(error instanceof TinyVLMError && aboutTheImage.includes(error.code))) throw error;
    const nothing = { answer: null, finishReason: null, tokens: null, ms: null };
    return { ...row, ...nothing, error: `${error.code}: ${error.message}` };
  }
}

/** "3 of 12, 1 failed, 2 min 5 s left: c.png". */
export function progress(
  done: number,
  of: number,
  failed: number,
  ms: number,
  image: string,
): string {
  const left = done > 0 ? `, ${duration(((ms / done) * (of - done)) / 1000)} left` : "";
  return `${done} of ${of}${failed > 0 ? `, ${failed} failed` : ""}${left}: ${image}`;
}

function openOutput(parsed: Parsed): BatchOutput {
  const path = textOf(parsed, "--output");
  const { switches } = parsed;
  const [retry, overwrite] = ["--retry", "--overwrite"].map((name) => switches.has(name));
  if (retry && overwrite)
    throw wrongArgument("wanted one of --retry and --overwrite, found both of them");
  if (path === undefined && (retry || overwrite))
    throw wrongArgument(`${retry ? "--retry" : "--overwrite"} wants --output FILE, found none`);
  const format = formatOf(path, textOf(parsed, "--format"));
  if (path === undefined) return stdoutRows(format);
  return fileRows(path, format, overwrite ? "overwrite" : retry ? "retry" : "continue");
}

function formatOf(path: string | undefined, name: string | undefined): RowFormat {
  // --format has been checked against the names.
  if (name !== undefined) return rowFormats[name as keyof typeof rowFormats];
  if (path === undefined || /\.(jsonl|ndjson)$/i.test(path)) return rowFormats.jsonl;
  if (/\.csv$/i.test(path)) return rowFormats.csv;
  throw wrongArgument(
    `wanted an --output that ends in .jsonl or .csv, or --format; found "${path}"`,
  );
}
