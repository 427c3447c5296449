// The convert command as a process: what its ends leave on the disk, what inspect says of its files,
// and the warnings of convert, inspect and ask. TINYVLM_CLI is the program.

import assert from "node:assert/strict";
import { spawn, spawnSync } from "node:child_process";
import {
  copyFileSync,
  cpSync,
  existsSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";

const cli = process.env.TINYVLM_CLI;
const generator = fileURLToPath(new URL("../../tools/generate-checkpoint.mjs", import.meta.url));
const root = mkdtempSync(join(tmpdir(), "tiny-vlm-convert-"));
after(() => rmSync(root, { recursive: true }));

const run = (...args) => spawnSync(cli, args, { encoding: "utf8" });

function generate(name, ...args) {
  const folder = join(root, name);
  const { status, stderr } = spawnSync(process.execPath, [generator, folder, ...args], {
    encoding: "utf8",
  });
  assert.equal(status, 0, stderr);
  return folder;
}

const small = generate("small", "--size", "t0");
const large = generate("large", "--size", "0.5b", "--sparse"); // takes seconds to convert

/**
 * Starts a conversion of the large checkpoint, waits until it has written some weights, and sends a
 * signal; resolves to the signal that ended it.
 */
async function interrupted(output, signal) {
  const child = spawn(cli, ["convert", large, "-o", output, "--no-tokenizer"], { stdio: "ignore" });
  const ended = new Promise((resolve) => child.on("close", (_, by) => resolve(by)));
  const deadline = performance.now() + 60_000;
  while (!existsSync(`${output}.partial`) && performance.now() < deadline) await sleep(5);
  assert.ok(existsSync(`${output}.partial`));
  await sleep(50);
  child.kill(signal);
  return ended;
}

for (const signal of ["SIGINT", "SIGTERM"]) {
  test(`${signal} leaves no file, and an older one as it was`, async () => {
    const output = join(root, `${signal}.gguf`);
    writeFileSync(output, "older");
    assert.equal(await interrupted(output, signal), signal);
    assert.ok(!existsSync(`${output}.partial`));
    assert.equal(readFileSync(output, "utf8"), "older");
  });
}

test("a kill that nobody can catch leaves no file that looks finished, and does not disturb the next conversion", async () => {
  const output = join(root, "killed.gguf");
  assert.equal(await interrupted(output, "SIGKILL"), "SIGKILL");
  assert.ok(!existsSync(output));
  const { status, stderr } = run("inspect", `${output}.partial`);
  assert.equal(status, 3);
  assert.match(
    stderr,
    /invalid_file: .*killed\.gguf\.partial: a GGUF model file wanted .*, a file that begins with 00 00 00 00 found/,
  );
  const again = run("convert", small, "-o", output, "--no-tokenizer");
  assert.equal(again.status, 0, again.stderr);
  assert.ok(!existsSync(`${output}.partial`));
  assert.equal(run("inspect", output).status, 0);
});

test("a full disk is an io error of one line that names the file, and leaves none", () => {
  const output = join(root, "full.gguf");
  // Writes beyond the limit fail as on a full disk once the signal that comes with them is ignored.
  const script =
    'trap "" XFSZ; ulimit -f 100; exec "$0" convert "$1" -o "$2" --type f32 --no-tokenizer';
  const { status, stderr } = spawnSync("sh", ["-c", script, cli, small, output], {
    encoding: "utf8",
  });
  assert.equal(status, 8, stderr);
  assert.match(stderr, /^tiny-vlm: io: cannot write .*full\.gguf\.partial: .*\n$/);
  assert.ok(!existsSync(output) && !existsSync(`${output}.partial`));
});

test("types, image size and resize mode can be given, and inspect says which matrices could not be cut into blocks", () => {
  const output = join(root, "types.gguf");
  const flags = [
    "--type",
    "q4_0",
    "--vision-type",
    "bf16",
    "--embedding-type",
    "f16",
    "--image-size",
    "128",
    "--resize",
    "crop",
  ];
  const converted = run("convert", small, "-o", output, "--no-tokenizer", ...flags);
  assert.equal(converted.status, 0, converted.stderr);
  assert.match(converted.stderr, /^[^\r]*types\.gguf: [\d.]+ MB of weights in [\d.]+ s\n$/);
  const { stdout } = run("inspect", output);
  assert.match(stdout, /fastvlm\.vision\.image_size: 128\n/);
  assert.match(stdout, /fastvlm\.vision\.resize_mode: crop\n/);
  assert.match(stdout, /mm\.0\.weight +bf16/);
  assert.match(stdout, /token_embd\.weight +f16/);
  assert.match(stdout, /blk\.0\.ffn_up\.weight +q4_0/);
  assert.match(
    stdout,
    /\n3 matrices are F16 because rows that are not a multiple of 32 cannot be cut into blocks: v\.stem\.2\.weight \(rows of 16\), /,
  );
  assert.match(stdout, /, v\.final\.se\.up\.weight \(rows of 8\)\n/);
  assert.equal(run("convert", small, "-o", output, "--no-tokenizer", "--type", "f32").status, 0);
  assert.doesNotMatch(run("inspect", output).stdout, /cut into blocks/);
});

test("flags that cannot be are refused before anything is read", () => {
  const output = join(root, "never.gguf");
  for (const [args, wanted] of [
    [
      ["--vision-type", "q5_1"],
      /a type of f32, f16, bf16, q8_0, q5_0 or q4_0 wanted, "q5_1" found/,
    ],
    [["--embedding-type", ""], /"" found/],
    [["--image-size", "100"], /a multiple of 64 up to 4096 wanted, 100 found/],
    [["--image-size", "0"], /--image-size: a whole number of 64\.\.4096 wanted, "0" found/],
    [["--resize", "stretch"], /"pad" or "crop", wanted, "stretch" found/],
    [["--packing", "panel8"], /--packing: "none" or "panel16" wanted, "panel8" found/],
  ]) {
    const { status, stderr } = run("convert", join(root, "absent"), "-o", output, ...args);
    assert.equal(status, 1, stderr);
    assert.match(stderr, wanted);
  }
  assert.ok(!existsSync(output));
});

test("a checkpoint and its model file are packed to the same bytes, and inspect verifies them", () => {
  const [plain, packed, repacked] = ["plain", "packed", "repacked"].map((name) =>
    join(root, `${name}.gguf`),
  );
  const pack = ["--packing", "panel16"];
  for (const args of [
    [small, "-o", plain, "--no-tokenizer"],
    [small, "-o", packed, "--no-tokenizer", ...pack],
    [plain, "-o", repacked, ...pack],
  ]) {
    const { status, stderr } = run("convert", ...args);
    assert.equal(status, 0, stderr);
  }
  assert.ok(readFileSync(packed).equals(readFileSync(repacked)));
  assert.ok(!readFileSync(packed).equals(readFileSync(plain)));
  const { status, stdout } = run("inspect", packed, "--verify");
  assert.equal(status, 0);
  assert.match(stdout, /tinyvlm\.packing: panel16\n/);
  assert.match(stdout, /every byte has the SHA-256 that the file carries\n/);

  const bytes = readFileSync(packed);
  bytes[bytes.length - 1000] ^= 1;
  writeFileSync(packed, bytes);
  assert.equal(run("inspect", packed).status, 0);
  const damaged = run("inspect", packed, "--verify");
  assert.equal(damaged.status, 3);
  assert.match(
    damaged.stderr,
    /invalid_file: .*packed\.gguf: the model file is damaged: bytes \d+/,
  );

  const again = run("convert", plain, "-o", repacked, ...pack, "--type", "q4_0");
  assert.equal(again.status, 1);
  assert.match(again.stderr, /--type: only --packing wanted for a model file/);
});

test("warnings are lines on stderr, before the end of the conversion and of an answer", () => {
  const folder = join(root, "two-sets");
  cpSync(small, folder, { recursive: true });
  copyFileSync(join(folder, "model.safetensors"), join(folder, "older.safetensors"));
  const output = join(root, "warned.gguf");
  const converted = run("convert", folder, "-o", output, "--no-tokenizer");
  assert.equal(converted.status, 0, converted.stderr);
  assert.match(
    converted.stderr,
    /^tiny-vlm: warning: older\.safetensors is not used: it is another set of weights, model\.safetensors is read\n.*warned\.gguf: /,
  );
  // A text model of another writer that does not say how texts are split.
  const bytes = readFileSync(
    fileURLToPath(new URL("../goldens/gguf/qwen2-f32.gguf", import.meta.url)),
  );
  bytes[bytes.indexOf("tokenizer.ggml.pre")] = "x".charCodeAt(0);
  const text = join(root, "text.gguf");
  writeFileSync(text, bytes);
  const warning =
    "tiny-vlm: warning: tokenizer.ggml.pre is missing: texts are split as Qwen2 splits them\n";
  const inspected = run("inspect", text);
  assert.deepEqual([inspected.status, inspected.stderr], [0, warning]);
  const asked = run("ask", "none", "Hello", "--model", text, "--max-tokens", "2");
  assert.deepEqual([asked.status, asked.stderr], [0, warning]);
});

test("inspect counts mapped weights as what they are", () => {
  const output = join(root, "inspected.gguf");
  const read = run("convert", small, "-o", output, "--no-tokenizer");
  assert.equal(read.status, 0, read.stderr);
  const inFileOrder = run("inspect", output).stdout;
  assert.match(inFileOrder, /memory \(estimate\): [\d.]+ MB weights \+ /);
  const packed = run("convert", small, "-o", output, "--no-tokenizer", "--packing", "panel16");
  assert.equal(packed.status, 0, packed.stderr);
  assert.match(
    run("inspect", output).stdout,
    /memory \(estimate\): [\d.]+ MB for a session .*; [\d.]+ MB weights are mapped from the file/,
  );
});
