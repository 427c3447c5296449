// vlm.embed in Node, in real workers, with the fake engine.

import assert from "node:assert/strict";
import { test } from "node:test";
import { TinyVLM, type EmbedOptions } from "../src/node.js";
import { fakeModel } from "./fake-engine.js";

const load = () => TinyVLM.load(fakeModel(1000), { threads: 1 });

// Embedded as (3, 4), and as something that never ends.
const image = { data: Uint8Array.of(3, 9, 4), width: 1, height: 1 };
const endless = { data: Uint8Array.of(0xcc, 9, 4), width: 1, height: 1 };

const held = async (vlm: TinyVLM) =>
  (JSON.parse((await vlm.ask(null, "echo")).text) as { held: number }).held;

test("an embedding is a vector; its rows come where they are wanted", async () => {
  const vlm = await load();
  const { timings, ...embedding } = await vlm.embed(image);
  assert.deepEqual(embedding, {
    vector: Float32Array.of(3 / 5, 4 / 5),
    width: 2,
    tokens: 4,
    warnings: [],
  });
  const { totalMs, ...stages } = timings;
  assert.deepEqual(stages, { decodeImageMs: 1, preprocessMs: 2, visionMs: 3 });
  assert(totalMs > 0);
  const { rows, vector } = await vlm.embed(image, { rows: true });
  assert.deepEqual(rows, Float32Array.of(3, 4, 3, 4, 3, 4, 3, 4));
  assert.deepEqual(vector, embedding.vector);
  assert.equal("rows" in (await vlm.embed(image, { rows: false })), false);
  assert.equal(await held(vlm), 0); // the images have gone
  await vlm.dispose();
});

test("every kind of image is embedded, read when embed is called", async () => {
  const vlm = await load();
  const file = Uint8Array.of(3, 9, 4);
  const pixels = { data: Uint8Array.from(image.data), width: 1, height: 1 };
  const embeddings = [pixels, file, file.buffer, new Blob([file]), "data:,%03%09%04"].map((each) =>
    vlm.embed(each),
  );
  pixels.data.fill(0);
  for (const { vector } of await Promise.all(embeddings))
    assert.deepEqual(vector, Float32Array.of(3 / 5, 4 / 5));
  await vlm.dispose();
});

test("wrong options and images are rejected with an error that names them", async () => {
  const vlm = await load();
  const wrong: [unknown, unknown, RegExp][] = [
    [image, { row: true }, /^unknown option row; did you mean rows\?$/],
    [image, { maxTokens: 5 }, /^unknown option maxTokens; known are rows, signal, exactPrepr/],
    [image, { rows: 1 }, /^wanted true or false for rows, found number 1$/],
    [image, { strict: "no" }, /^wanted true or false for strict, found string no$/],
    [image, null, /^wanted an object for the options, found object null$/],
    [[image], {}, /^wanted an image .*, found an object \(Array\)$/],
    [null, {}, /^wanted an image .*, found object null$/],
    [undefined, {}, /^wanted an image .*, found undefined undefined$/],
  ];
  for (const [what, options, message] of wrong)
    await assert.rejects(vlm.embed(what as never, options as EmbedOptions), {
      name: "TinyVLMError",
      code: "invalid_argument",
      message,
    });
  await assert.rejects(vlm.embed(Uint8Array.of(0xbb)), { code: "invalid_image" });
  await assert.rejects(vlm.embed("/nowhere/at-all.png"), { code: "not_found" });
  assert.equal(await held(vlm), 0);
  await vlm.dispose();
});

test("embeddings and questions are worked on in the order of the calls", async () => {
  const vlm = await load();
  const order: string[] = [];
  const note = (name: string) => () => order.push(name);
  await Promise.all([
    vlm.ask(null, "count 30").then(note("a question")),
    vlm.embed(image).then(note("an embedding")),
    vlm.ask(null, "count 1").then(note("another question")),
    vlm.embed(image).then(note("another embedding")),
  ]);
  assert.deepEqual(order, ["a question", "an embedding", "another question", "another embedding"]);
  await vlm.dispose();
});

test("a signal ends an embedding under way and one in line, and the next one begins", async () => {
  const vlm = await load();
  for (const behind of [false, true]) {
    const question = behind ? vlm.ask(null, "slow") : undefined;
    const controller = new AbortController();
    const { signal } = controller;
    const embeddings = [vlm.embed(endless, { signal }), vlm.embed(image, { signal })];
    const settled = Promise.allSettled(embeddings);
    setTimeout(() => controller.abort(new Error("enough")), 20);
    for (const { reason } of (await settled) as PromiseRejectedResult[])
      assert.deepEqual(
        [reason.code, reason.name, reason.message, reason.cause.message],
        ["aborted", "AbortError", "the embedding was cancelled", "enough"],
      );
    question?.cancel();
    assert.deepEqual((await vlm.embed(image)).vector, Float32Array.of(3 / 5, 4 / 5));
    assert.equal((await vlm.ask(null, "count 1")).text, "0 ");
    await assert.rejects(vlm.embed(image, { signal }), { code: "aborted" }); // fired before
    assert.equal(await held(vlm), 0);
  }
  await vlm.dispose();
});

test("dispose ends embeddings under way and in line; later ones say so", async () => {
  const vlm = await load();
  const embeddings = [vlm.embed(endless), vlm.embed(image)];
  const settled = Promise.allSettled(embeddings);
  setTimeout(() => void vlm.dispose(), 20);
  for (const { reason } of (await settled) as PromiseRejectedResult[])
    assert.deepEqual([reason.code, reason.message], ["aborted", "the model was disposed"]);
  await assert.rejects(vlm.embed(image), { code: "not_ready", message: /disposed; load it again/ });
});
