// The recorded answers of the demo model (tools/record-answers.mjs), token by token: the same in
// every build and with every number of threads. tests-native/api/continuity_test.cc holds the
// native library against them.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import type { AskOptions } from "../../src/node.js";
import { options, root, samples, TinyVLM } from "./built-package.js";

const recorded = JSON.parse(
  readFileSync(join(root, "tests-native", "goldens", "answers", "demo-model.json"), "utf8"),
) as {
  context: number;
  cases: {
    image: string | null;
    question: string;
    options: AskOptions;
    text: string;
    tokens: number[][];
  }[];
};

// More threads than this machine has processors, too. The scalar build is slow: a part of them.
const builds = [
  { variant: "simd", threads: 1, every: 1 },
  { variant: "simd-mt", threads: 2, every: 1 },
  { variant: "simd-mt", threads: 3, every: 5 },
  { variant: "simd-mt", threads: 16, every: 7 },
  { variant: "simd-mt", threads: 64, every: 18 },
  { variant: "scalar", threads: 1, every: 7 },
] as const;

for (const { variant, threads, every } of builds)
  test(`${variant} with ${threads} threads: the recorded answers`, options, async () => {
    const { context } = recorded;
    const vlm = await TinyVLM.load(undefined, { variant, threads, context });
    for (const [index, { image, question, options, text, tokens }] of recorded.cases.entries()) {
      if (index % every !== 0) continue;
      const answer = await vlm.ask(image && join(samples, image), question, {
        ...{ ...options, exactPreprocess: true },
        logprobs: 0,
      });
      assert.equal(answer.text, text, `case ${index}: ${question}`);
      assert.deepEqual(
        answer.logprobs!.map(({ bytes }) => [...bytes]),
        tokens,
        `case ${index}: ${question}`,
      );
    }
    await vlm.dispose();
  });
