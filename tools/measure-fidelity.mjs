#!/usr/bin/env node
// Measures how far every weight type strays from f32 and writes docs/fidelity.md.
//
//   node tools/measure-fidelity.mjs [--demo CHECKPOINT] [--questions FILE] [--threads N] [--cli
//   PROGRAM] [--output docs/fidelity.md]
//
// --demo is the demo model's checkpoint folder (the repository holds its q8_0 file only); without
// it the table of the demo model stays as it is in the document. --questions asks the questions of
// a file ({"cases": [{"image", "question"}]}) instead of those of examples-web/samples. --cli is
// the native command line, build/release/cpp/cli/tiny-vlm where it is not given. Generated models
// are written to a temporary folder, one after the other (1 GB).

import { execFileSync } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";

const root = fileURLToPath(new URL("..", import.meta.url));
const { values: options } = parseArgs({
  options: {
    demo: { type: "string" },
    questions: { type: "string" },
    threads: { type: "string" },
    cli: { type: "string" },
    output: { type: "string" },
  },
});
const cli = options.cli ?? join(root, "build", "release", "cpp", "cli", "tiny-vlm");
const output = options.output ?? join(root, "docs", "fidelity.md");
if (!existsSync(cli))
  throw new Error(`${cli} is missing: build the native command line first, or name one with --cli`);
const threads = options.threads === undefined ? [] : ["--threads", options.threads];
const work = mkdtempSync(join(tmpdir(), "tiny-vlm-fidelity-"));

const run = (...args) =>
  execFileSync(cli, args, {
    encoding: "utf8",
    stdio: ["ignore", "pipe", "pipe"],
    maxBuffer: 1 << 26,
  });
const convert = (checkpoint, file, type, ...more) =>
  run("convert", checkpoint, "-o", file, "--type", type, ...more);
const measure = (reference, other, ...more) =>
  JSON.parse(run("fidelity", reference, other, "--json", ...threads, ...more));
const percent = (share) => `${(100 * share).toFixed(1)}%`;
const kl = (value) => (value < 1e-3 ? value.toExponential(1) : value.toPrecision(2));

/** Tensors of a safetensors file of f32 and i64, by name. */
function readTensors(path) {
  const bytes = readFileSync(path);
  const length = Number(bytes.readBigUInt64LE(0));
  const header = JSON.parse(bytes.toString("utf8", 8, 8 + length));
  return (name) => {
    const [from, to] = header[name].data_offsets;
    return new Float32Array(
      bytes.buffer.slice(bytes.byteOffset + 8 + length + from, bytes.byteOffset + 8 + length + to),
    );
  };
}

/**
 * The size of the largest channel that q, k and v of the second layer multiply, as many times the
 * median channel's: each channel's largest value over 64 random tokens, behind that layer's norm.
 */
function channelRatio(checkpoint, model) {
  const config = JSON.parse(readFileSync(join(checkpoint, "config.json"), "utf8")).text_config;
  const ids = BigInt64Array.from({ length: 64 }, (_, i) =>
    BigInt((i * 2654435761) % config.vocab_size),
  );
  const text = JSON.stringify({
    prompt_ids: { dtype: "I64", shape: [64], data_offsets: [0, 512] },
  }).padEnd(128);
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(text.length));
  const input = join(work, "case.safetensors");
  writeFileSync(input, Buffer.concat([length, Buffer.from(text), Buffer.from(ids.buffer)]));
  run("trace", model, "--case", input, "-o", join(work, "trace.safetensors"));
  const rows = readTensors(join(work, "trace.safetensors"))("layer0");
  const norm = readTensors(join(checkpoint, "model.safetensors"))(
    "model.language_model.layers.1.input_layernorm.weight",
  );
  const width = config.hidden_size;
  const largest = new Float32Array(width);
  for (let r = 0; r < rows.length; r += width) {
    const row = rows.subarray(r, r + width);
    const rms = Math.sqrt(row.reduce((sum, x) => sum + x * x, 0) / width + config.rms_norm_eps);
    row.forEach((x, i) => (largest[i] = Math.max(largest[i], Math.abs((x / rms) * norm[i]))));
  }
  const sorted = [...largest].sort((a, b) => a - b);
  return sorted.at(-1) / sorted[width >> 1];
}

/** A row of a Markdown table. */
const row = (...cells) => `| ${cells.join(" | ")} |`;

function demoTable() {
  const questions = options.questions ?? join(work, "questions.json");
  if (options.questions === undefined) {
    const folder = join(root, "examples-web", "samples");
    const samples = JSON.parse(readFileSync(join(folder, "samples.json"), "utf8"));
    const cases = samples.flatMap(({ image, questions: asked }) =>
      asked.map(({ question }) => ({ image: resolve(folder, image), question })),
    );
    writeFileSync(questions, JSON.stringify({ cases }));
  }
  const lines = [
    row("type", "MB", "mean KL", "max KL", "top-1", "tokens", "answers", "logits", "projector"),
    `${"|---".repeat(9)}|`,
  ];
  const reference = join(work, "demo-f32.gguf");
  convert(options.demo, reference, "f32");
  let cases = 0;
  for (const [type, compute] of [
    ["f16", "fast"],
    ["bf16", "fast"],
    ["q8_0", "fast"],
    ["q8_0", "f32"],
    ["q8_0, vision q5_0", "fast"],
    ["q8_0, vision q4_0", "fast"],
    ["q4_0", "fast"],
  ]) {
    const file = join(work, "demo.gguf");
    const [main, vision] = type.split(", vision ");
    convert(options.demo, file, main, ...(vision ? ["--vision-type", vision] : []));
    const report = measure(reference, file, "--questions", questions, "--compute", compute);
    cases = report.cases;
    const relative = (stage) => report.stages[stage].relative.toExponential(1);
    const megabytes = (readFileSync(file).length / 1e6).toFixed(1);
    lines.push(
      row(
        compute === "f32" ? `${type}, compute f32` : type,
        megabytes,
        kl(report.meanKl),
        kl(report.largestKl),
        percent(report.top1),
        percent(report.equalTokens),
        percent(report.equalAnswers),
        relative("logits"),
        relative("projector"),
      ),
    );
    process.stderr.write(`${lines.at(-1)}\n`);
  }
  return [`${cases} questions.`, "", ...lines].join("\n");
}

const GENERATED = [
  ["t2w", ["--size", "t2w"]],
  ["demo size", ["--size", "demo"]],
  [
    "0.5b width",
    [
      "--size",
      "0.5b",
      "--depth",
      "6",
      "--layers",
      "1,1,1,1,1",
      "--dims",
      "32,64,128,256,256",
      "--image",
      "256",
      "--vocab",
      "8192",
    ],
  ],
];

function generatedTable() {
  const lines = [
    row("model", "outliers", "ratio", "bf16", "q8_0", "q8_0, f32", "of 1×", "q8_0 top-1", "q4_0"),
    `${"|---".repeat(9)}|`,
  ];
  for (const [name, size] of GENERATED) {
    let base;
    for (const factor of [undefined, 1, 30, 300]) {
      const checkpoint = join(work, "checkpoint");
      const outliers = factor === undefined ? [] : ["--outliers", String(factor)];
      execFileSync(process.execPath, [
        join(root, "tools", "generate-checkpoint.mjs"),
        checkpoint,
        ...size,
        "--dtype",
        "f32",
        ...outliers,
      ]);
      const reference = join(work, "reference.gguf");
      convert(checkpoint, reference, "f32", "--no-tokenizer");
      const of = (type, ...more) => {
        const file = join(work, "other.gguf");
        convert(checkpoint, file, type, "--no-tokenizer");
        return measure(reference, file, ...more);
      };
      const q8 = of("q8_0");
      if (factor === 1) base = q8.meanKl;
      const f32 = of("q8_0", "--compute", "f32");
      lines.push(
        row(
          name,
          factor === undefined ? "none" : `${factor}×`,
          channelRatio(checkpoint, reference).toFixed(0),
          kl(of("bf16").meanKl),
          kl(q8.meanKl),
          kl(f32.meanKl),
          base === undefined ? "" : `${(q8.meanKl / base).toFixed(2)}×`,
          percent(q8.top1),
          kl(of("q4_0").meanKl),
        ),
      );
      process.stderr.write(`${lines.at(-1)}\n`);
      rmSync(checkpoint, { recursive: true });
    }
  }
  return lines.join("\n");
}

/** Replaces what stands between the two marks of a table. */
function replaceTable(text, name, table) {
  const marks = new RegExp(`(<!-- ${name} -->\n)[\\s\\S]*?(<!-- end of ${name} -->)`);
  if (!marks.test(text)) throw new Error(`${output}: the marks of ${name} are missing`);
  return text.replace(marks, (_, begin, end) => `${begin}${table}\n${end}`);
}

try {
  let text = readFileSync(output, "utf8");
  if (options.demo !== undefined) text = replaceTable(text, "demo model", demoTable());
  text = replaceTable(text, "generated models", generatedTable());
  writeFileSync(output, text);
} finally {
  rmSync(work, { recursive: true, force: true });
}
