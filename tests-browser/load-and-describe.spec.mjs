// "I open a page, the model loads, I ask about a picture and words stream back", in every build that a browser can run.
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { launchChromium, samples, serve, withSdk } from "./harness.mjs";

const cases = [
  { isolated: true, options: {}, variant: "simd-mt", name: "a cross-origin isolated page uses threads" },
  { isolated: false, options: {}, variant: "simd", name: "any other page uses one thread with SIMD" },
  { isolated: false, options: { variant: "scalar" }, variant: "scalar", name: "the build without SIMD can be asked for" },
  { isolated: true, options: { variant: "simd" }, variant: "simd", name: "one thread can be asked for on an isolated page" },
];

describe("load and describe", () => {
  let browser;
  before(async () => { browser = await launchChromium(); });
  after(() => browser.close());

  for (const { isolated, options, variant, name } of cases) {
    test(`${name} (${variant}) and answers about every sample picture`, async () => {
      const server = await serve({ isolated });
      try {
        await withSdk(browser, server, async (page) => {
          assert.equal(await page.evaluate(() => window.crossOriginIsolated), isolated);
          const { progress, answers } = await page.evaluate(async ({ options, samples }) => {
            const progress = [];
            const vlm = await TinyVLM.load(undefined, { ...options, onProgress: ({ loadedBytes, totalBytes }) => progress.push([loadedBytes, totalBytes]) });
            const answers = [];
            for (const { image, questions } of samples) {
              for (const { question, answer } of questions) answers.push({ image, question, expected: answer, ...(await ask(vlm, `/examples-web/samples/${image}`, question)) });
            }
            await vlm.dispose();
            return { progress, answers };
          }, { options, samples });

          assert.ok(progress.length > 1, "progress is told more than once");
          for (let i = 1; i < progress.length; i++) assert.ok(progress[i][0] >= progress[i - 1][0], "progress never goes back");
          const [loaded, total] = progress.at(-1);
          assert.ok(total > 1_000_000 && loaded === total, `progress ends at the whole file, found ${loaded} of ${total}`);

          for (const { image, question, expected, text, pieces, finishReason, variant: ran, threads, timings } of answers) {
            assert.equal(text, expected, `${image}: ${question}`);
            assert.equal(pieces.join(""), text);
            assert.equal(finishReason, "stop");
            assert.equal(ran, variant);
            assert.equal(threads > 1, variant === "simd-mt");
            assert.ok(timings.firstTokenMs > 0 && timings.totalMs >= timings.firstTokenMs);
          }
          assert.ok(answers.some(({ pieces }) => pieces.length > 3), "longer answers come in pieces");
          const encoded = answers.map(({ usage }) => usage.encodedImages);
          const expectedEncoded = samples.flatMap(({ questions }) => questions.map((_, index) => (index === 0 ? 1 : 0)));
          assert.deepEqual(encoded, expectedEncoded, "a picture is encoded for its first question only");
        });
      } finally {
        await server.close();
      }
    });
  }
});
