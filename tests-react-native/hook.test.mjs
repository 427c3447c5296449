// useTinyVLM in React: the hook of the SDK with the model of this package.
import assert from "node:assert/strict";
import { createRequire } from "node:module";
import { join } from "node:path";
import { test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { FakeNative, loadPackage, rejection } from "./fake-native.mjs";

const require = createRequire(join(process.cwd(), "build", "react-native-clients", "package.json"));
const React = require("react");
const { act, create } = require("react-test-renderer");
globalThis.IS_REACT_ACT_ENVIRONMENT = true;

/** A component with the hook; `shown()` is what it last returned. */
async function render(native, source, options) {
  const { useTinyVLM } = loadPackage(native, { react: React });
  let shown;
  const Model = (given) => {
    shown = useTinyVLM(given.source, options);
    return null;
  };
  const element = (given) =>
    React.createElement(React.StrictMode, null, React.createElement(Model, given));
  let renderer;
  await act(async () => {
    renderer = create(element({ source }));
  });
  const until = async (holds) => {
    for (let tries = 0; !holds(shown); tries++) {
      assert(
        tries < 500,
        JSON.stringify(shown, (key, value) => (key === "model" ? null : value)),
      );
      await act(() => sleep(2));
    }
  };
  return {
    shown: () => shown,
    until,
    update: (next) => act(async () => renderer.update(element({ source: next }))),
    unmount: () => act(async () => renderer.unmount()),
  };
}

test("loads once in StrictMode, streams, stops, and disposes of the model", async () => {
  const native = new FakeNative();
  const { shown, until, unmount } = await render(native, "asset:a.gguf", { context: 512 });
  await until(({ status }) => status === "ready");
  assert.equal(native.callsOf("load").length, 1);
  assert.equal(shown().progress.phase, "ready");
  assert.equal(shown().model.info.name, "fake");

  const texts = new Set();
  let asking;
  await act(async () => {
    asking = shown().ask({ uri: "file:///a.jpg" }, "?");
  });
  await until(({ text, answer }) => texts.add(text) && answer);
  assert.equal((await asking).text, "A pencil and a ring.");
  assert(texts.size > 2, [...texts].join(" | "));

  native.pieces = Array(200).fill("word ");
  await act(async () => {
    asking = shown().ask(null, "?");
  });
  await until(({ text }) => text.length > 10);
  await act(async () => shown().stop());
  await until(({ isAnswering }) => !isAnswering);
  assert.equal((await asking).finishReason, "cancelled");
  assert.equal(shown().error, undefined);

  await unmount();
  await sleep(20);
  const [[number]] = native.callsOf("load");
  assert.deepEqual(native.callsOf("dispose"), [[number]]);
});

test("another source is another model; what fails is told", async () => {
  const native = new FakeNative();
  const { shown, until, update, unmount } = await render(native, "asset:a.gguf");
  await until(({ status }) => status === "ready");
  native.onLoad = async () => {
    throw rejection("not_found", "there is no asset b.gguf");
  };
  await update("asset:b.gguf");
  await until(({ status }) => status === "failed");
  assert.equal(shown().error.code, "not_found");
  assert.equal(native.callsOf("dispose").length, 1);
  await unmount();
});
