// Questions in line behind one whose image never arrives (an element that is never loaded, a Blob
// that is never read), over a worker that answers at once.

import assert from "node:assert/strict";
import { test } from "node:test";
import { LoadedModel } from "../src/api/client.js";
import type { Opened } from "../src/api/open.js";
import type { ImageInput } from "../src/api/types.js";
import { Channel } from "../src/protocol/channel.js";
import type { AskArgs, AskReply, ToClient } from "../src/protocol/messages.js";

class Model extends LoadedModel {
  constructor(opened: Opened) {
    super(opened);
  }
}

const answer: AskReply = {
  imageIds: [],
  text: "yes",
  finishReason: "stop",
  usage: {
    promptTokens: 1,
    imageTokens: 0,
    encodedImages: 0,
    reusedTokens: 0,
    completionTokens: 1,
  },
  timings: {
    decodeImageMs: 0,
    preprocessMs: 0,
    visionMs: 0,
    prefillMs: 0,
    decodeMs: 0,
    tokensPerSecond: 0,
  },
};

function model(): { vlm: Model; asked: string[] } {
  const asked: string[] = [];
  let toClient: (message: ToClient) => void = () => {};
  const channel = new Channel({
    listen(onMessage) {
      toClient = onMessage;
    },
    post(message) {
      if (!("call" in message)) return;
      asked.push((message.args as AskArgs).messages.at(-1)!.content);
      queueMicrotask(() => toClient({ id: message.id, reply: answer }));
    },
    setBusy() {},
    terminate: async () => {},
  });
  const platform = { pageImage: () => new Promise(() => {}) };
  const started = { variant: "simd", threads: 1 };
  return { vlm: new Model({ channel, started, info: {}, platform } as unknown as Opened), asked };
}

const neverArrives = {} as ImageInput;

test("dispose rejects a question whose image never arrives, and those behind it", async () => {
  const { vlm, asked } = model();
  const questions = [vlm.ask(neverArrives, "first"), vlm.ask(null, "second")];
  await new Promise(setImmediate);
  await vlm.dispose();
  for (const question of questions)
    await assert.rejects(question.then(), { code: "aborted", message: "the model was disposed" });
  assert.deepEqual(asked, []);
});

test("cancel and a signal let the questions behind it be answered", async () => {
  const { vlm, asked } = model();
  const controller = new AbortController();
  const cancelled = vlm.ask(neverArrives, "first");
  const aborted = vlm.ask(neverArrives, "second", { signal: controller.signal });
  const behind = vlm.ask(null, "third");
  await new Promise(setImmediate);
  assert.deepEqual(asked, []);
  cancelled.cancel();
  assert.equal((await cancelled).finishReason, "cancelled");
  const reason = new Error("enough");
  controller.abort(reason);
  await assert.rejects(aborted.then(), { code: "aborted", cause: reason });
  assert.equal((await behind).text, "yes");
  assert.deepEqual(asked, ["third"]);
});
