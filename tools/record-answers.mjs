#!/usr/bin/env node
// Records what the demo model answers, token by token, with several options and seeds:
// tests-native/goldens/answers/demo-model.json, which the tests hold every build and thread count
// against. Run again only where answers are meant to change.
//
//   node tools/record-answers.mjs

import { readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { TinyVLM } from "../dist/node.mjs";

const root = join(dirname(fileURLToPath(import.meta.url)), "..");
const samples = join(root, "examples-web", "samples");
const images = JSON.parse(readFileSync(join(samples, "samples.json"), "utf8"));

// Without choices that the model all but tosses for: floats are equal per build, not between builds
// (kernels of 128 and 256 bits add in another order), so a tie may end otherwise elsewhere.
const ways = [
  { maxTokens: 24 },
  { maxTokens: 24, repetitionPenalty: 1.3 },
  { maxTokens: 16, temperature: 1, seed: 1 },
  { maxTokens: 16, temperature: 0.7, topK: 8, seed: 2 },
  { maxTokens: 16, temperature: 1.2, topP: 0.9, minP: 0.05, seed: 3 },
  {
    maxTokens: 24,
    responseFormat: {
      schema: {
        type: "object",
        properties: { there: { type: "boolean" } },
        required: ["there"],
        additionalProperties: false,
      },
    },
  },
];

const vlm = await TinyVLM.load(undefined, { variant: "simd", context: 512 });
const cases = [];
for (const [index, { image, questions }] of images.entries())
  for (const [way, options] of ways.entries()) {
    const { question } = questions[(index + way) % questions.length];
    const picture = way === 2 ? null : image;
    const of = picture && join(samples, picture);
    const exact = { exactPreprocess: true };
    const answer = await vlm.ask(of, question, { ...options, ...exact, logprobs: 0 });
    const tokens = answer.logprobs.map(({ bytes }) => [...bytes]);
    cases.push({ image: picture, question, options, text: answer.text, tokens });
  }
await vlm.dispose();

const lines = cases.map((each) => `  ${JSON.stringify(each)}`);
writeFileSync(
  join(root, "tests-native", "goldens", "answers", "demo-model.json"),
  `{\n "context": 512,\n "cases": [\n${lines.join(",\n")}\n ]\n}\n`,
);
console.log(`${cases.length} answers recorded`);
