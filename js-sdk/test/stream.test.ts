import assert from "node:assert/strict";
import { test } from "node:test";
import { noCost } from "../src/api/line.js";
import { AnswerStream } from "../src/api/stream.js";
import type { Answer } from "../src/api/types.js";

const answer = (text: string): Answer => ({
  text,
  finishReason: "stop",
  warnings: [],
  usage: noCost.usage,
  timings: { ...noCost.timings, firstTokenMs: 0, totalMs: 0 },
  variant: "simd",
  threads: 1,
});
const tick = () => new Promise((resolve) => setTimeout(resolve, 1));

async function collect(stream: AsyncIterable<string>): Promise<string[]> {
  const pieces: string[] = [];
  for await (const piece of stream) pieces.push(piece);
  return pieces;
}

function speaking(pieces: string[], fail?: Error): AnswerStream {
  const run = async (emit: (piece: string) => void) => {
    for (const piece of pieces) {
      await tick();
      emit(piece);
    }
    await tick();
    if (fail) throw fail;
    return answer(pieces.join(""));
  };
  return new AnswerStream(run, () => {});
}

test("iterates the pieces and awaits to the answer, in either order", async () => {
  const stream = speaking(["a", "b", "c"]);
  assert.deepEqual(await collect(stream), ["a", "b", "c"]);
  assert.equal((await stream).text, "abc");
  assert.deepEqual(await collect(stream), ["a", "b", "c"]); // from the beginning again
});

test("two loops at the same time both see everything", async () => {
  const stream = speaking(["a", "b", "c"]);
  assert.deepEqual(await Promise.all([collect(stream), collect(stream)]), [
    ["a", "b", "c"],
    ["a", "b", "c"],
  ]);
});

test("pieces that come at once are all delivered", async () => {
  const stream = new AnswerStream(
    async (emit) => {
      for (const piece of ["a", "b", "c"]) emit(piece);
      return answer("abc");
    },
    () => {},
  );
  assert.deepEqual(await collect(stream), ["a", "b", "c"]);
});

test("an error reaches the loop after the pieces before it, and those who await", async () => {
  const stream = speaking(["a"], new Error("broken"));
  const seen: string[] = [];
  await assert.rejects(async () => {
    for await (const piece of stream) seen.push(piece);
  }, /broken/);
  assert.deepEqual(seen, ["a"]);
  await assert.rejects(stream.then(), /broken/);
  assert.equal(await stream.catch(() => "caught"), "caught");
});

test("an error that nobody waits for is not an unhandled rejection", async () => {
  speaking([], new Error("unheard"));
  await tick();
  await tick();
});

test("leaving the loop cancels at once", async () => {
  let cancelled = 0;
  const stream = new AnswerStream(
    (emit) => {
      emit("a");
      return new Promise(() => {});
    },
    () => cancelled++,
  );
  for await (const piece of stream) {
    assert.equal(piece, "a");
    break;
  }
  assert.equal(cancelled, 1);
});
