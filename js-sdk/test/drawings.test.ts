// Files that the page draws for the worker.

import assert from "node:assert/strict";
import { test } from "node:test";
import type { DrawRequest, WireImage } from "../src/protocol/messages.js";
import { Drawings } from "../src/worker/drawings.js";

const image: WireImage = {
  kind: "pixels",
  format: "rgb",
  width: 1,
  height: 1,
  data: new Uint8Array(3),
};
const file = new Blob(["<svg/>"]);

test("each request gets its own image, or the reason why there is none", async () => {
  const drawings = new Drawings();
  const asked: DrawRequest[] = [];
  const { signal } = new AbortController();
  const emit = (request: DrawRequest) => asked.push(request);
  const first = drawings.ask(file, true, emit, signal);
  const second = drawings.ask(file, false, emit, signal);
  assert.deepEqual(
    asked.map(({ svg }) => svg),
    [true, false],
  );
  drawings.end(asked[1]!.drawing, image);
  drawings.end(asked[0]!.drawing, "it is damaged");
  assert.equal(await second, image);
  await assert.rejects(first, { code: "invalid_image", message: "it is damaged" });
});

test("a page that does not answer keeps nobody waiting who cancels", async () => {
  const drawings = new Drawings();
  const controller = new AbortController();
  let asked: DrawRequest | undefined;
  const never = drawings.ask(file, true, (request) => (asked = request), controller.signal);
  controller.abort();
  await assert.rejects(never, { code: "aborted" });
  drawings.end(asked!.drawing, image); // too late, and no harm
});
