// The probe (TINYVLM_PROBE) and `tiny-vlm bench` (TINYVLM_CLI) as processes. Tests look at the form
// of what they say and at numbers that do not depend on the machine, never at times.

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { fileURLToPath } from "node:url";

const probe = process.env.TINYVLM_PROBE;
const cli = process.env.TINYVLM_CLI;
const root = mkdtempSync(join(tmpdir(), "tiny-vlm-bench-"));
after(() => rmSync(root, { recursive: true }));

/** Runs a program, or a script under Node. */
function run(program, ...args) {
  const [command, ...before] = program.endsWith(".js") ? [process.execPath, program] : [program];
  return spawnSync(command, [...before, ...args], { encoding: "utf8", maxBuffer: 1 << 24 });
}

function assertSpread({ low, median, high }) {
  assert.ok(low > 0 && low <= median && median <= high, `${low} <= ${median} <= ${high}`);
}

function assertMachine({ turnsPerSecond, scaling }) {
  assert.ok(turnsPerSecond > 0);
  assert.ok(scaling > 0);
}

test("the probe measures every loop, reading, every kind of product, and judges itself", () => {
  const file = join(root, "probe.json");
  const { status, stdout, stderr } = run(probe, "--quick", "--json", file);
  assert.equal(status, 0, stderr);
  const report = JSON.parse(readFileSync(file, "utf8"));
  assertMachine(report.before);
  assertMachine(report.after);
  const change =
    Math.abs(report.before.turnsPerSecond - report.after.turnsPerSecond) /
    Math.max(report.before.turnsPerSecond, report.after.turnsPerSecond);
  assert.equal(report.valid, change <= 0.1);
  assert.equal(
    report.twoThreadsValid,
    Math.min(report.before.scaling, report.after.scaling) >= 1.8,
  );
  assert.match(stdout, report.valid ? /^this run is valid$/m : /^this run is NOT valid/m);
  for (const row of report.rows) {
    assertSpread(row.value);
    assert.equal(
      row.valid,
      report.valid && (row.threads === 1 || report.twoThreadsValid),
      row.name,
    );
  }

  const rows = (section) => report.rows.filter((row) => row.section === section);
  const loops = ["multiply-adds", "tile", "row"].flatMap((loop) =>
    ["f32", "q8_0", "q4_0"].map((type) => `${type} ${loop}`),
  );
  assert.deepEqual(
    rows("loop").map((row) => row.name),
    loops,
  );
  const loop = (name) => rows("loop").find((row) => row.name === name).value.median;
  assert.deepEqual(
    rows("bandwidth")
      .filter((row) => row.threads === 1)
      .map((row) => row.bytes),
    [16, 32, 64, 128, 256, 512, 1024].map((kb) => kb * 1024),
  );

  // A product stands beside the loop that has its structure, and one row also beside reading.
  for (const { weights, m, n, k, weightBytes, probe: roof, readBytesPerSecond } of rows(
    "product",
  )) {
    assert.equal(roof, loop(`${weights} ${m === 1 ? "row" : "tile"}`));
    assert.equal(weightBytes, n * k * { f32: 4, q8_0: 34 / 32, q4_0: 18 / 32 }[weights]);
    assert.equal(readBytesPerSecond !== undefined, m === 1);
  }
  assert.deepEqual(
    new Set(rows("product").map((row) => row.weights)),
    new Set(["f32", "q8_0", "q4_0"]),
  );
  assert.deepEqual(new Set(rows("product").map((row) => row.m === 1)), new Set([true, false]));
  assert.ok(rows("other").some((row) => row.name === "GELU"));
});

test("the probe refuses what it does not know and a file that it cannot write", () => {
  assert.match(run(probe, "--fast").stderr, /invalid_argument: unknown flag --fast/);
  const { status, stderr } = run(
    probe,
    "--quick",
    "--json",
    join(root, "no such folder", "probe.json"),
  );
  assert.notEqual(status, 0);
  assert.match(stderr, /io.*no such folder.*cannot be written/);
});

test(
  "tiny-vlm bench measures the phases that it was asked for",
  { skip: cli ? false : "no command line in this build" },
  () => {
    const generator = fileURLToPath(
      new URL("../../tools/generate-checkpoint.mjs", import.meta.url),
    );
    const folder = join(root, "t0"),
      model = join(root, "t0.gguf");
    for (const { status, stderr } of [
      spawnSync(process.execPath, [generator, folder, "--size", "t0"], { encoding: "utf8" }),
      run(cli, "convert", folder, "-o", model, "--type", "q8_0", "--no-tokenizer"),
    ])
      assert.equal(status, 0, stderr);

    const works = "load,vision,prefill-20,decode-3";
    const measured = ["--work", works, "--image-size", "128", "--rounds", "2", "--threads", "1"];
    const { status, stdout, stderr } = run(cli, "bench", model, ...measured, "--profile", "--json");
    assert.equal(status, 0, stderr);
    const report = JSON.parse(stdout);
    assertMachine(report.before);
    assertMachine(report.after);
    assert.equal(report.rounds, 2);
    assert.deepEqual(
      report.works.map(({ work, unit }) => [work, unit]),
      [
        ["load", "bytes"],
        ["vision-128", "rows"],
        ["prefill-20", "rows"],
        ["decode-3", "tokens"],
      ],
    );
    assert.deepEqual(
      report.works.slice(1).map((work) => work.count),
      [4, 20, 3],
    );
    assert.ok(!report.valid || report.works.every(({ cores }) => cores >= 0.9));
    for (const { ms, perSecond, count, cores } of report.works) {
      assertSpread(ms);
      assert.ok(cores > 0);
      assert.ok(Math.abs((perSecond * ms.median) / 1000 / count - 1) < 1e-6);
    }

    // Products of one round, from the shapes of t0: two layers of width 64, four heads of which two
    // have keys, hidden units 192, 1024 words.
    const profile = (name) =>
      Object.fromEntries(
        report.works
          .find(({ work }) => work === name)
          .profile.map((operation) => [operation.operation, operation]),
      );
    const prefill = profile("prefill-20"),
      decode = profile("decode-3"),
      vision = profile("vision-128");
    for (const [operations, rows, heads] of [
      [prefill, 20, 1],
      [decode, 3, 3],
    ]) {
      assert.equal(operations.attention_qkv.products, 2 * rows * 64 * 128);
      assert.equal(operations.ffn_gate_up.products, 2 * rows * 64 * 2 * 192);
      assert.equal(operations.ffn_down.products, 2 * rows * 64 * 192);
      assert.equal(operations.head.products, heads * 64 * 1024);
      assert.equal(operations.attention.products, 0);
    }
    assert.equal(vision["stage0.conv_ffn"].products, 32 * 32 * 16 * 2 * 32);
    assert.equal(vision["stage2.downsample"].products, 8 * 8 * 32 * 32);
    assert.equal(vision["stage4.attention_qkv"].products, 2 * 2 * 64 * 3 * 64);
    assert.equal(vision.projector.products, 2 * 2 * 64 * (128 + 64));
    for (const { profile: operations } of report.works.slice(1)) {
      assert.ok(Math.abs(operations.reduce((sum, { share }) => sum + share, 0) - 1) < 1e-6);
      assert.ok(
        operations.every((operation, i) => i === 0 || operations[i - 1].ms >= operation.ms),
        "the largest first",
      );
    }

    const text = run(cli, "bench", model, "--work", "decode-1", "--rounds", "1", "--threads", "1");
    assert.match(
      text.stdout,
      /^\| decode-1 \| [\d.]+ \([\d.]+ to [\d.]+\) \| [\d.]+ tokens \| [\d.]+ \|$/m,
    );
    assert.doesNotMatch(text.stdout, /operation/);

    for (const [args, message] of [
      [["--work", "prefil-20"], /invalid_argument: --work: .*"prefil-20" found/],
      [["--work", "decode-0"], /invalid_argument: --work: .*"decode-0" found/],
      [["--work", "vision,"], /invalid_argument: --work: .*"" found/],
      [
        ["--work", "prefill-3000"],
        /invalid_argument: --work prefill-3000: at most the model's 2048 tokens wanted, 3000 needed/,
      ],
      [
        ["--work", "vision", "--image-size", "100"],
        /invalid_argument: --image-size: a multiple of 64 up to 4096 wanted, 100 found/,
      ],
    ]) {
      const refused = run(cli, "bench", model, ...args);
      assert.notEqual(refused.status, 0);
      assert.match(refused.stderr, message);
    }
  },
);

test(
  "tiny-vlm bench measures response formats, alone and beside free decoding",
  { skip: cli ? false : "no command line in this build" },
  () => {
    const model = fileURLToPath(new URL("../../model/tiny-vlm-demo.gguf", import.meta.url));
    const works = "constrain,constrained-2";
    const flags = ["--work", works, "--rounds", "2", "--threads", "1", "--prefix", "3"];
    const { status, stdout, stderr } = run(cli, "bench", model, ...flags, "--json");
    assert.equal(status, 0, stderr);
    const report = JSON.parse(stdout);
    assert.deepEqual(report.works, []);
    const formats = report.constrain.map(({ format }) => format);
    assert.ok(formats.includes("text, maxLength 200") && formats.includes("choices"));
    for (const { tokens, readMs, firstMs, averageMs, worstMs } of report.constrain) {
      assert.ok(tokens > 100 && readMs > 0 && firstMs > 0);
      assert.ok(averageMs > 0 && averageMs <= worstMs);
    }
    assert.equal(report.constrainedTokens, 2);
    assert.deepEqual(
      report.constrained.map(({ format }) => format),
      formats,
    );
    for (const { freeMs, constrainedMs, ratio } of report.constrained) {
      assertSpread(freeMs);
      assertSpread(constrainedMs);
      assert.ok(Math.abs((ratio * constrainedMs.median) / freeMs.median - 1) < 1e-6);
    }

    const text = run(cli, "bench", model, ...flags).stdout;
    assert.match(text, /^\| choices \| [\d.]+ \| [\d.]+ \| [\d.]+ \| [\d.]+ \|$/m);
    assert.match(text, /^\| choices \| [\d.]+ \(.*\) \| [\d.]+ \(.*\) \| \d+\.\d{3} \|$/m);

    const bare = run(cli, "bench", join(root, "t0.gguf"), "--work", "constrain");
    assert.notEqual(bare.status, 0);
    assert.match(bare.stderr, /unsupported: --work constrain: .*tokenizer wanted, one without/);
  },
);
