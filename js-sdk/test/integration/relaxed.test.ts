// The relaxed builds of the built package: taken where relaxed SIMD computes rightly, refused where
// it does not. Run twice (scripts/build-sdk.mjs): in this Node and, where that is too old, once
// more in one that has relaxed SIMD.

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { pathToFileURL } from "node:url";
import { reasonAgainst } from "../../src/runtime/features.js";
import { command, describe, described, dist, first, options, TinyVLM } from "./built-package.js";

const hasRelaxed = reasonAgainst("relaxed", true) === undefined;
const [testWith, testWithout] = hasRelaxed ? [test, () => {}] : [() => {}, test];

const folder = mkdtempSync(join(tmpdir(), "tiny-vlm-relaxed-"));
after(() => rmSync(folder, { recursive: true }));

void testWithout(
  "relaxed: without relaxed SIMD the plain builds run, and naming a relaxed one is an error",
  options,
  async () => {
    for (const [threads, variant] of [
      [1, "simd"],
      [2, "simd-mt"],
    ] as const) {
      const vlm = await TinyVLM.load(undefined, { threads });
      assert.equal(vlm.variant, variant);
      await vlm.dispose();
    }
    const refused = { code: "unsupported", message: /relaxed SIMD is not supported here/ };
    await assert.rejects(TinyVLM.load(undefined, { variant: "relaxed" }), refused);
    await assert.rejects(TinyVLM.load(undefined, { variant: "relaxed-mt", threads: 2 }), refused);
    for (const args of [
      ["ask", first, describe],
      ["inspect", "nothing"],
    ]) {
      const { code, out, err } = command(...args, "--variant", "relaxed");
      assert.deepEqual([code, out], [4, ""]);
      assert.match(err, /^tiny-vlm: unsupported: .*relaxed.*relaxed SIMD is not supported here\n$/);
    }
  },
);

// How a relaxed dot product that is wrong fails its self-test.
const wrongDot = (what: string) =>
  `its self-test failed: self-test: ${what}: -?\\d+ wanted, -?\\d+ found in lane`;

// Loads with one thread and with two, asks, and names a relaxed build.
const program = `
  const { TinyVLM } = await import(${JSON.stringify(pathToFileURL(join(dist, "node.mjs")).href)});
  const told = [];
  for (const threads of [1, 2]) {
    const vlm = await TinyVLM.load(undefined, { threads });
    const { text } = await vlm.ask(${JSON.stringify(first)}, ${JSON.stringify(describe)});
    told.push(vlm.variant, text);
    await vlm.dispose();
  }
  for (const variant of ["relaxed", "relaxed-mt"])
    told.push(
      await TinyVLM.load(undefined, { variant, threads: 2 }).then(
        () => "",
        (error) => error.code + ": " + error.message,
      ),
    );
  console.log(JSON.stringify(told));
`;

void testWithout(
  "relaxed: Node 20 with its flag for relaxed SIMD fails the self-test, and the plain builds run",
  options,
  () => {
    const flag = "--experimental-wasm-relaxed-simd";
    const { status, stdout, stderr } = spawnSync(
      process.execPath,
      [flag, "--input-type=module", "-e", program],
      { encoding: "utf8", timeout: 180_000 },
    );
    assert.deepEqual([status, stderr], [0, ""]);
    const [one, oneText, two, twoText, ...refusals] = JSON.parse(stdout) as string[];
    assert.deepEqual([one, oneText, two, twoText], ["simd", described, "simd-mt", described]);
    for (const refusal of refusals)
      assert.match(
        refusal,
        new RegExp(`^unsupported: .*${wrongDot("relaxed dot product, added")}`),
      );
  },
);

void testWith(
  "relaxed: where relaxed SIMD computes rightly the relaxed builds run",
  options,
  async () => {
    for (const [threads, variant] of [
      [1, "relaxed"],
      [2, "relaxed-mt"],
    ] as const) {
      const vlm = await TinyVLM.load(undefined, { threads });
      assert.deepEqual([vlm.variant, vlm.threads], [variant, threads]);
      assert.equal((await vlm.ask(first, describe)).text, described);
      await vlm.dispose();
    }
  },
);

// i16x8.relaxed_dot_i8x16_i7x16_s becomes i16x8.mul, an instruction of the same length and type.
function computingWrongly(wasm: Buffer): Buffer {
  const [dot, mul] = [Buffer.of(0xfd, 0x92, 0x02), Buffer.of(0xfd, 0x95, 0x01)];
  const positions: number[] = [];
  for (let at = wasm.indexOf(dot); at >= 0; at = wasm.indexOf(dot, at + dot.length))
    positions.push(at);
  assert(positions.length > 0, "there is no relaxed dot in this build");
  for (const at of positions) mul.copy(wasm, at);
  return wasm;
}

void testWith(
  "relaxed: an engine that computes the relaxed dot wrongly is refused, and the plain builds run",
  options,
  async () => {
    const wasmUrl = Object.fromEntries(
      (["relaxed", "relaxed-mt"] as const).map((variant) => {
        const wrong = join(folder, `${variant}.wasm`);
        writeFileSync(
          wrong,
          computingWrongly(readFileSync(join(dist, "wasm", `tiny-vlm-${variant}.wasm`))),
        );
        return [variant, wrong];
      }),
    );
    for (const [threads, variant, refused] of [
      [1, "simd", "relaxed"],
      [2, "simd-mt", "relaxed-mt"],
    ] as const) {
      const vlm = await TinyVLM.load(undefined, { threads, wasmUrl });
      assert.deepEqual([vlm.variant, vlm.threads], [variant, threads]);
      assert.equal((await vlm.ask(first, describe)).text, described);
      await vlm.dispose();
      const message = new RegExp(`${refused}: ${wrongDot("relaxed dot product")}`);
      await assert.rejects(TinyVLM.load(undefined, { variant: refused, threads, wasmUrl }), {
        code: "unsupported",
        message,
      });
    }
  },
);
