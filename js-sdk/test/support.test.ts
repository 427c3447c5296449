// What `support` tells of a place.

import assert from "node:assert/strict";
import { availableParallelism } from "node:os";
import { test } from "node:test";
import { supportOf, type Place } from "../src/api/support.js";
import { threadsFor } from "../src/api/platform.js";
import { isRelaxed } from "../src/protocol/values.js";
import { support } from "../src/node-support.js";

const place: Place = {
  reasonAgainstWorkers: undefined,
  reasonAgainstThreads: undefined,
  threads: 4,
  reasonAgainst: () => undefined,
};

test("where everything is there, the best build runs and nothing is missing", () => {
  assert.deepEqual(supportOf(place), { variant: "relaxed-mt", threads: 4, missing: [] });
});

test("each thing that is missing is told once", () => {
  const page = { ...place, reasonAgainstThreads: "no threads" };
  assert.deepEqual(supportOf(page), { variant: "relaxed", threads: 1, missing: ["no threads"] });
  const relaxed = "no relaxed SIMD";
  const older = {
    ...page,
    reasonAgainst: (variant: Parameters<Place["reasonAgainst"]>[0]) =>
      isRelaxed(variant) ? relaxed : undefined,
  };
  assert.deepEqual(supportOf(older), {
    variant: "simd",
    threads: 1,
    missing: ["no threads", relaxed],
  });
});

test("without workers, or without WebAssembly, no build runs", () => {
  assert.deepEqual(supportOf({ ...place, reasonAgainstWorkers: "no workers" }), {
    variant: undefined,
    threads: 0,
    missing: ["no workers"],
  });
  assert.deepEqual(supportOf({ ...place, reasonAgainst: () => "no WebAssembly" }), {
    variant: undefined,
    threads: 0,
    missing: ["no WebAssembly"],
  });
});

test("one processor is a reason against threads", () => {
  assert.deepEqual(supportOf({ ...place, threads: 1 }), {
    variant: "relaxed",
    threads: 1,
    missing: ["this machine has one processor"],
  });
});

test("this Node runs a build", () => {
  const { variant, threads } = support();
  assert.ok(variant);
  assert.equal(threads, threadsFor(availableParallelism()));
});
