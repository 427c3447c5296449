// Questions in line behind one whose image never arrives (an element that is never loaded, a Blob
// that is never read), over a worker that answers at once.

import assert from "node:assert/strict";
import { test } from "node:test";
import { noCost } from "../src/api/line.js";
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
  warnings: [],
  text: "yes",
  finishReason: "stop",
  usage: { ...noCost.usage, promptTokens: 1, completionTokens: 1 },
  timings: noCost.timings,
};

/**
 * `arrive` lets the image of the first question that waits for one arrive. `untilCancelled`: the
 * worker answers a question only when it is told to end it.
 */
function model({ untilCancelled = false } = {}): {
  vlm: Model;
  asked: string[];
  arrive: () => void;
} {
  const asked: string[] = [];
  const waiting: (() => void)[] = [];
  let toClient: (message: ToClient) => void = () => {};
  const channel = new Channel({
    listen(onMessage) {
      toClient = onMessage;
    },
    post(message) {
      if (!("call" in message)) {
        const reply: AskReply = { ...answer, finishReason: "cancelled" };
        queueMicrotask(() => toClient({ id: message.id, reply }));
        return;
      }
      if (message.call !== "ask") return;
      asked.push((message.args as AskArgs).messages.at(-1)!.content);
      if (!untilCancelled) queueMicrotask(() => toClient({ id: message.id, reply: answer }));
    },
    setBusy() {},
    terminate: async () => {},
  });
  const platform = {
    pageImage: () =>
      new Promise((resolve) =>
        waiting.push(() =>
          resolve({ kind: "pixels", format: "rgb", width: 1, height: 1, data: new Uint8Array(3) }),
        ),
      ),
  };
  const started = { variant: "simd", threads: 1 };
  const vlm = new Model({ channel, started, info: {}, platform } as unknown as Opened);
  return { vlm, asked, arrive: () => waiting.shift()!() };
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

test("without them, too, the questions behind it are answered a second later", async () => {
  const { vlm, asked, arrive } = model();
  const late = vlm.ask(neverArrives, "late");
  const never = vlm.ask(neverArrives, "never");
  assert.equal((await vlm.ask(null, "behind")).text, "yes");
  assert.deepEqual(asked, ["behind"]);
  arrive();
  assert.equal((await late).text, "yes");
  assert.deepEqual(asked, ["behind", "late"]);
  await vlm.dispose();
  await assert.rejects(never.then(), { code: "aborted" });
});

test("an embedding whose image never arrives lets others go first, and ends with dispose", async () => {
  const { vlm, asked } = model();
  const never = vlm.embed(neverArrives);
  const behind = vlm.ask(null, "behind");
  await new Promise(setImmediate);
  assert.deepEqual(asked, []);
  assert.equal((await behind).text, "yes");
  const cancelled = vlm.embed(neverArrives, { signal: AbortSignal.abort() });
  await assert.rejects(cancelled, { code: "aborted", message: "the embedding was cancelled" });
  await vlm.dispose();
  await assert.rejects(never, { code: "aborted", message: "the model was disposed" });
});

test("a question of a chat does not overtake an earlier one of the same chat", async () => {
  const { vlm, asked, arrive } = model();
  const chat = vlm.chat();
  const first = chat.ask(neverArrives, "first");
  const second = chat.ask("second");
  assert.equal((await vlm.ask(null, "another")).text, "yes");
  assert.deepEqual(asked, ["another"]);
  arrive();
  await second;
  assert.deepEqual(asked, ["another", "first", "second"]);
  assert.equal((await first).text, "yes");

  // One whose image never comes lets the next go on once it is cancelled.
  const third = chat.ask(neverArrives, "third");
  const fourth = chat.ask("fourth");
  third.cancel();
  assert.equal((await fourth).text, "yes");
  assert.deepEqual(
    chat.messages.filter(({ role }) => role === "user").map(({ content }) => content),
    ["first", "second", "fourth"],
  );
});

test("undefined and an empty list are no images, and said so", async () => {
  const { vlm, asked } = model();
  for (const nothing of [undefined, []])
    await assert.rejects(vlm.ask(nothing as never, "what?").then(), {
      code: "invalid_argument",
      message: /null for none, found (undefined|an empty list)/,
    });
  assert.deepEqual(asked, []);
});

test("a cancel that comes between two steps ends the question, whenever that is", async () => {
  for (let ticks = 0; ticks < 30; ticks++) {
    const { vlm } = model({ untilCancelled: true });
    const question = vlm.ask(null, "?");
    for (let tick = 0; tick < ticks; tick++) await Promise.resolve();
    question.cancel();
    assert.equal((await question).finishReason, "cancelled", `after ${ticks} ticks`);
  }
});
