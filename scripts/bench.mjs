#!/usr/bin/env node
// npm run bench [-- options]: tiny-vlm beside other engines, in one Chromium and natively, same
// work, same number of threads, in turn.
//   --quick          3 rounds instead of 9, fewer where they are slow: under 15 minutes on a quiet
//                    machine
//   --only A,B       of the works vision-256, vision-512, vision-1024, prefill-280, decode-64,
//   first-word, load
//   --in A,B         of the places browser, native
//   --threads N      for every engine (default 1)
//   --variants A,B   builds of ours in the browser (default: the best that dist/ holds for this
//   number of threads, and plain simd)
//   --json FILE      the rows as JSON
//   --no-build       take dist/ and build/release as they are
// It builds what is missing, installs the other engines from npm and makes models of random
// weights, all under .bench (4 GB).
import { existsSync, writeFileSync } from "node:fs";
import { cpus } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { Calibration, doubt, interleave, spread } from "../bench/peers/measure.mjs";
import { startBrowser } from "../bench/peers/in-browser.mjs";
import { measureNatively } from "../bench/peers/native.mjs";
import { makeModels, setUpPeers } from "../bench/peers/setup.mjs";
import { buildPackage, buildPreset } from "./build.mjs";
import { root } from "./toolchain.mjs";

const WORKS = {
  "vision-256": { kind: "vision", imageSize: 256, unit: "ms" },
  "vision-512": { kind: "vision", imageSize: 512, unit: "ms" },
  "vision-1024": { kind: "vision", imageSize: 1024, unit: "ms" },
  "prefill-280": { kind: "prefill", unit: "rows/s" },
  "decode-64": { kind: "decode", unit: "tokens/s" },
  "first-word": { kind: "first-word", unit: "ms", onlyIn: "browser" },
  load: { kind: "load", unit: "ms" },
};
const PLACES = ["browser", "native"];

function readOptions() {
  const text = { type: "string" };
  const flag = { type: "boolean", default: false };
  const { values } = parseArgs({
    options: {
      quick: flag,
      only: text,
      in: text,
      threads: { ...text, default: "1" },
      variants: text,
      json: text,
      "no-build": flag,
    },
  });
  const listed = (value, known, what) => {
    const names = value === undefined ? known : value.split(",");
    const unknown = names.filter((name) => !known.includes(name));
    if (unknown.length > 0)
      throw new Error(`unknown ${what} ${unknown.join(", ")}; known are ${known.join(", ")}`);
    return names;
  };
  const threads = Number(values.threads);
  if (!Number.isInteger(threads) || threads < 1)
    throw new Error(`--threads: a whole number from 1 wanted, "${values.threads}" found`);
  const works = listed(values.only, Object.keys(WORKS), "work");
  return {
    works,
    places: listed(values.in, PLACES, "place"),
    threads,
    variants: values.variants?.split(","),
    quick: values.quick,
    json: values.json,
    build: !values["no-build"],
  };
}

/** The builds that are measured where none are named: those that use this many threads. */
function defaultVariants(threads) {
  const names = threads > 1 ? ["relaxed-mt", "simd-mt"] : ["relaxed", "simd"];
  return names.filter((name) => existsSync(join(root, "dist", "wasm", `tiny-vlm-${name}.wasm`)));
}

const shown = (value) => (value >= 100 ? value.toFixed(0) : value.toPrecision(3));
const withRange = ({ median, least, most }) =>
  `${shown(median)} (${shown(least)} to ${shown(most)})`;

/** One row for each of ours and each peer; without a peer, ours alone. */
function rowsOf({ work, place, threads, contenders, values, before, after }) {
  const { unit } = WORKS[work];
  const reason = doubt(before, after, threads);
  const entries = contenders.map((contender, i) => ({ ...contender, ...spread(values[i]) }));
  const peers = entries.filter(({ peer }) => peer);
  return entries
    .filter(({ ours }) => ours)
    .flatMap((ours) =>
      (peers.length > 0 ? peers : [null]).map((peer) => ({
        work,
        ours: ours.ours,
        weights: ours.weights,
        peer: peer?.peer ?? null,
        peer_weights: peer?.weights ?? null,
        place,
        threads,
        ours_value: ours.median,
        peer_value: peer?.median ?? null,
        unit,
        ratio: peer && (unit === "ms" ? peer.median / ours.median : ours.median / peer.median),
        valid: reason === null,
        reason,
        rounds: values[0].length,
        ours_range: [ours.least, ours.most],
        peer_range: peer && [peer.least, peer.most],
        before,
        after,
      })),
    );
}

function print(row) {
  const range = (value, [least, most]) => withRange({ median: value, least, most });
  const peer = row.peer
    ? `${row.peer} ${row.peer_weights} ${range(row.peer_value, row.peer_range)} ${row.unit}, ratio ${row.ratio.toFixed(2)}`
    : "no peer does this";
  const load = `load ${row.before.load.toFixed(1)} and ${row.after.load.toFixed(1)}, calibration ${row.before.speed.toFixed(0)} and ${row.after.speed.toFixed(0)} M steps/s`;
  console.log(
    `  ${row.ours} ${row.weights} ${range(row.ours_value, row.ours_range)} ${row.unit}; ${peer}; ${row.rounds} rounds; ${row.valid ? "valid" : `INVALID: ${row.reason}`} (${load})`,
  );
}

/** The rows as a Markdown table. */
function table(rows) {
  const range = (value, ends) => withRange({ median: value, least: ends[0], most: ends[1] });
  const line = (row) => [
    row.work,
    `${row.ours} ${row.weights}`,
    range(row.ours_value, row.ours_range),
    row.peer ? `${row.peer} ${row.peer_weights}` : "",
    row.peer ? range(row.peer_value, row.peer_range) : "",
    row.unit,
    row.peer ? row.ratio.toFixed(2) : "",
    row.rounds,
    row.valid ? "yes" : `no: ${row.reason}`,
  ];
  const head = [
    "work",
    "ours",
    "median (range)",
    "peer",
    "median (range)",
    "unit",
    "ratio",
    "rounds",
    "valid",
  ];
  return [head, head.map(() => "---"), ...rows.map(line)]
    .map((cells) => `| ${cells.join(" | ")} |`)
    .join("\n");
}

async function main() {
  const options = readOptions();
  const { works, places, threads, quick } = options;
  if (options.build) {
    await buildPackage();
    buildPreset("release", ["tiny-vlm"]);
  }
  const cli = join(
    root,
    "build",
    "release",
    "cpp",
    "cli",
    process.platform === "win32" ? "tiny-vlm.exe" : "tiny-vlm",
  );
  const peers = join(root, ".bench", "peers");
  const folder = join(root, ".bench", "models");
  const versions = await setUpPeers(peers);
  const models = await makeModels(folder, cli);
  const limits = quick
    ? { rounds: 3, fewest: 2, seconds: 45 }
    : { rounds: 9, fewest: 3, seconds: 300 };
  const variants = options.variants ?? defaultVariants(threads);

  const calibration = new Calibration(threads);
  const browser = places.includes("browser") ? await startBrowser({ models: folder, peers }) : null;
  const rows = [];
  const begin = performance.now();
  try {
    console.log(
      `\n${cpus().length} × ${cpus()[0].model}, Node ${process.versions.node}${browser ? `, ${browser.about}` : ""}, ${threads} thread(s)`,
    );
    console.log(
      Object.entries(versions)
        .map(([name, version]) => `${name} ${version}`)
        .join(", "),
    );
    for (const work of works) {
      for (const place of places) {
        const { onlyIn, ...rest } = WORKS[work];
        if (onlyIn && onlyIn !== place) continue;
        console.log(`${work}, ${place}`);
        const body = async (contenders) => {
          const before = await calibration.take();
          const values = await interleave(contenders, limits);
          const after = await calibration.take();
          return rowsOf({ work, place, threads, contenders, values, before, after });
        };
        try {
          const settings = { ...rest, threads, variants, cli, models, peers };
          const found =
            place === "browser"
              ? await browser.measure(settings, body)
              : await measureNatively(settings, body);
          found.forEach(print);
          rows.push(...found);
        } catch (error) {
          console.error(`  failed: ${error.message}`);
          process.exitCode = 1;
        }
        if (options.json) writeFileSync(options.json, `${JSON.stringify(rows, null, 1)}\n`);
      }
    }
  } finally {
    await calibration.close();
    await browser?.close();
  }
  console.log(`\n${table(rows)}\n\n${((performance.now() - begin) / 60000).toFixed(1)} minutes`);
}

main().catch((error) => {
  console.error(`bench: ${error.message}`);
  process.exitCode = 1;
});
