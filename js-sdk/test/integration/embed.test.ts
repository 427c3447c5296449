// vlm.embed of the built package in Node, with the real engine and the demo model.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { describe, described, first, options, samples, TinyVLM } from "./built-package.js";

const similarity = (a: Float32Array, b: Float32Array) =>
  a.reduce((sum, value, index) => sum + value * b[index]!, 0);

test(
  "embeddings: an image is nearest to itself, then to a copy in another format",
  options,
  async () => {
    const vlm = await TinyVLM.load(undefined, { threads: 1 });
    const vectorOf = async (name: string) => (await vlm.embed(join(samples, name))).vector;
    for (const number of [1, 2, 3, 4, 5]) {
      const vector = await vectorOf(`sample-${number}.png`);
      assert(Math.abs(similarity(vector, vector) - 1) < 1e-6);
      const copy = similarity(vector, await vectorOf(`sample-${number}-1024.jpg`));
      for (const other of [1, 2, 3, 4, 5])
        if (other !== number)
          assert(
            similarity(vector, await vectorOf(`sample-${other}.png`)) < copy,
            `sample ${number} is nearer to sample ${other} than to its copy`,
          );
    }
    await vlm.dispose();
  },
);

test("embeddings: the vector is the mean of the rows at a length of 1", options, async () => {
  const vlm = await TinyVLM.load(undefined, { threads: 1 });
  const { vector, rows, width, tokens } = await vlm.embed(first, { rows: true });
  assert.deepEqual([tokens, vector.length], [vlm.info.imageTokens, width]);
  assert.equal(rows!.length, tokens * width);
  assert.deepEqual(
    [vector.buffer.byteLength, rows!.buffer.byteLength],
    [width * 4, rows!.byteLength],
  );
  const mean = Array.from({ length: width }, (_, column) => {
    let sum = 0;
    for (let row = 0; row < tokens; row++) sum += rows![row * width + column]!;
    return sum / tokens;
  });
  const length = Math.hypot(...mean);
  // Rounded to float32 twice, as a mean and at its length.
  for (const [column, value] of mean.entries())
    assert(Math.abs(vector[column]! - value / length) < 2 ** -22, `column ${column}`);
  await vlm.dispose();
});

test(
  "embeddings: an image is encoded once, whether it is embedded or asked about first",
  options,
  async () => {
    const vlm = await TinyVLM.load(undefined, { threads: 1 });
    const [other, third] = [join(samples, "sample-2.png"), join(samples, "sample-3.png")];
    assert((await vlm.embed(first)).timings.visionMs > 0);
    const { text, usage } = await vlm.ask(first, describe);
    assert.deepEqual([text, usage.encodedImages], [described, 0]);
    assert.equal((await vlm.ask(other, describe)).usage.encodedImages, 1);
    assert.equal((await vlm.embed(other)).timings.visionMs, 0);
    // What a chat has computed stays.
    const chat = vlm.chat();
    const { usage: before } = await chat.ask(first, describe);
    await vlm.embed(third);
    const after = await chat.ask("Where is it?");
    assert.equal(after.usage.encodedImages, 0);
    assert(after.usage.reusedTokens >= before.promptTokens);
    await vlm.dispose();
  },
);

test("embeddings: threads change nothing", options, async () => {
  const vectors = [];
  for (const variant of ["simd", "simd-mt"] as const) {
    const vlm = await TinyVLM.load(undefined, { variant, threads: 2 });
    vectors.push(await vlm.embed(first, { rows: true }));
    await vlm.dispose();
  }
  const [one, two] = vectors;
  assert.deepEqual(one!.vector, two!.vector);
  assert.deepEqual(one!.rows, two!.rows);
  assert(!(two!.vector.buffer instanceof SharedArrayBuffer));
});

test("embeddings: a damaged file is embedded with a warning, or refused", options, async () => {
  const vlm = await TinyVLM.load(undefined, { threads: 1 });
  const file = readFileSync(join(samples, "sample-1-1024.jpg"));
  const cut = file.subarray(0, file.length * 0.8);
  const { warnings, vector } = await vlm.embed(cut);
  assert.match(warnings[0]!, /^JPEG: the file ends without its end marker; it is cut off/);
  assert.deepEqual((await vlm.embed(file)).warnings, []);
  assert(similarity(vector, (await vlm.embed(file)).vector) < 1);
  await assert.rejects(vlm.embed(cut, { strict: true }), { code: "invalid_image" });
  await assert.rejects(vlm.embed(Buffer.from("no image")), { code: "invalid_image" });
  assert.equal((await vlm.embed(file)).width, vector.length);
  await vlm.dispose();
});

test("embeddings: a model that is still arriving embeds as soon as it can", options, async () => {
  const whole = await TinyVLM.load(undefined, { threads: 1 });
  const { vector } = await whole.embed(first);
  await whole.dispose();
  const bytes = readFileSync(join(process.cwd(), "dist", "model", "tiny-vlm-demo.gguf"));
  let sent = 0;
  const slow = new ReadableStream<Uint8Array>({
    async pull(controller) {
      await new Promise((resolve) => setTimeout(resolve, 5));
      controller.enqueue(new Uint8Array(bytes.subarray(sent, (sent += 200_000))));
      if (sent >= bytes.length) controller.close();
    },
  });
  const vlm = await TinyVLM.load(slow, { threads: 1, early: true });
  assert.deepEqual((await vlm.embed(first)).vector, vector);
  await vlm.whenReady;
  await vlm.dispose();
});
