#!/usr/bin/env node
// npm run size: the size of every file of the package that is downloaded, raw and compressed,
// against its limit. Fails where one is exceeded.
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { brotliCompressSync } from "node:zlib";
import { root } from "./toolchain.mjs";

const dist = join(root, "dist");
const wasmLimits = { raw: 1_048_576, brotli: 300_000 };

// Each row: files that are loaded together, and what they may weigh in bytes.
function rows() {
  const list = (folder, type) => {
    const names = existsSync(join(dist, folder)) ? readdirSync(join(dist, folder)) : [];
    return names
      .filter((name) => name.endsWith(type))
      .sort()
      .map((name) => `${folder}/${name}`);
  };
  return [
    ...[...list("wasm", ".wasm"), ...list("tools", ".wasm"), ...list("convert", ".wasm")].map(
      (name) => ({
        files: [name],
        limits: wasmLimits,
      }),
    ),
    ...[...list("tools", ".mjs"), ...list("convert", ".mjs")].map((name) => ({
      files: [name],
      limits: {},
    })),
    ...["worker.mjs", "worker-mt.mjs"].map((worker) => ({
      files: ["index.mjs", worker],
      limits: { brotli: 30_000 },
    })),
    ...[
      "storage.mjs",
      "page-parts.mjs",
      "tiny-vlm.iife.js",
      "index.cjs",
      "node.mjs",
      "node.cjs",
      "cli.mjs",
    ].map((name) => ({
      files: [name],
      limits: {},
    })),
    ...list("adapters", ".mjs").map((name) => ({ files: [name], limits: {} })),
    ...list("model", ".gguf").map((name) => ({
      files: [name],
      limits: { raw: 10_485_760 },
      compressed: false,
    })),
  ];
}

const kilobytes = (bytes) => `${(bytes / 1000).toFixed(1)} kB`.padStart(10);

/** Prints the table; returns how many limits were kept and how many exceeded. */
export function reportSizes() {
  const counts = { passed: 0, failed: 0 };
  for (const { files, limits, compressed = true } of rows()) {
    if (!files.every((name) => existsSync(join(dist, name)))) continue;
    const contents = files.map((name) => readFileSync(join(dist, name)));
    const sizes = { raw: contents.reduce((sum, bytes) => sum + bytes.length, 0) };
    if (compressed)
      sizes.brotli = contents.reduce((sum, bytes) => sum + brotliCompressSync(bytes).length, 0);
    const exceeded = Object.entries(limits).filter(([kind, limit]) => sizes[kind] > limit);
    counts[exceeded.length > 0 ? "failed" : "passed"] += Object.keys(limits).length > 0 ? 1 : 0;
    const verdict = exceeded
      .map(([kind, limit]) => `  OVER the limit of ${kilobytes(limit).trim()} ${kind}`)
      .join("");
    console.log(
      `${kilobytes(sizes.raw)} raw ${compressed ? `${kilobytes(sizes.brotli)} brotli` : " ".repeat(17)}  ${files.join(" + ")}${verdict}`,
    );
  }
  return counts;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  if (!existsSync(join(dist, "wasm"))) {
    console.error("size: dist/ is missing; run npm run build first");
    process.exitCode = 1;
  } else if (reportSizes().failed > 0) {
    process.exitCode = 1;
  }
}
