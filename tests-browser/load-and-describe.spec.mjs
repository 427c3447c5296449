// "I open a page, the model loads, I ask about an image and words stream back", in every build that
// a browser can run.
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { engine, lacks, launchBrowser, samples, serve, withSdk } from "./harness.mjs";

const cases = [
  {
    isolated: true,
    options: {},
    variant: engine.variants.isolated,
    name: "a cross-origin isolated page uses threads and the best instructions",
  },
  {
    isolated: false,
    options: {},
    variant: engine.variants.plain,
    name: "any other page uses one thread and the best instructions",
  },
  {
    isolated: true,
    options: { variant: "simd-mt" },
    variant: "simd-mt",
    name: "threads without relaxed SIMD (simd-mt) can be asked for",
  },
  {
    isolated: false,
    options: { variant: "scalar" },
    variant: "scalar",
    name: "the build without SIMD (scalar) can be asked for",
  },
  {
    isolated: true,
    options: { variant: "simd" },
    variant: "simd",
    name: "one thread (simd) can be asked for on an isolated page",
  },
];

describe("load and describe", () => {
  let browser;
  before(async () => {
    browser = await launchBrowser();
  });
  after(() => browser.close());

  for (const { isolated, options, variant, name } of cases) {
    test(`${name} and answers about every sample image`, async () => {
      const server = await serve({ isolated });
      try {
        await withSdk(browser, server, async (page) => {
          assert.equal(await page.evaluate(() => window.crossOriginIsolated), isolated);
          const { progress, answers } = await page.evaluate(
            async ({ options, samples }) => {
              const progress = [];
              const vlm = await TinyVLM.load(undefined, {
                ...options,
                onProgress: ({ loadedBytes, totalBytes }) =>
                  progress.push([loadedBytes, totalBytes]),
              });
              const answers = [];
              for (const { image, questions } of samples) {
                for (const { question, answer } of questions)
                  answers.push({
                    image,
                    question,
                    expected: answer,
                    ...(await ask(vlm, `/examples-web/samples/${image}`, question)),
                  });
              }
              await vlm.dispose();
              return { progress, answers };
            },
            { options, samples },
          );

          assert.ok(progress.length > 1, "progress is told more than once");
          for (let i = 1; i < progress.length; i++)
            assert.ok(progress[i][0] >= progress[i - 1][0], "progress never goes back");
          const [loaded, total] = progress.at(-1);
          assert.ok(
            total > 1_000_000 && loaded === total,
            `progress ends at the whole file, found ${loaded} of ${total}`,
          );

          for (const {
            image,
            question,
            expected,
            text,
            pieces,
            finishReason,
            variant: ran,
            threads,
            timings,
          } of answers) {
            assert.equal(text, expected, `${image}: ${question}`);
            assert.equal(pieces.join(""), text);
            assert.equal(finishReason, "stop");
            assert.equal(ran, variant);
            assert.equal(threads > 1, variant.endsWith("-mt"));
            assert.ok(timings.firstTokenMs > 0 && timings.totalMs >= timings.firstTokenMs);
          }
          assert.ok(
            answers.some(({ pieces }) => pieces.length > 3),
            "longer answers come in pieces",
          );
          const encoded = answers.map(({ usage }) => usage.encodedImages);
          const expectedEncoded = samples.flatMap(({ questions }) =>
            questions.map((_, index) => (index === 0 ? 1 : 0)),
          );
          assert.deepEqual(
            encoded,
            expectedEncoded,
            "an image is encoded for its first question only",
          );
        });
      } finally {
        await server.close();
      }
    });
  }

  test("a build whose instructions the browser lacks is refused by name", async (context) => {
    if (!lacks("relaxed SIMD")) return context.skip(`${engine.name} has relaxed SIMD`);
    const server = await serve();
    try {
      await withSdk(browser, server, async (page) => {
        const { code, message } = await page.evaluate(() =>
          tryLoad(undefined, { variant: "relaxed" }),
        );
        assert.equal(code, "unsupported");
        assert.match(message, /relaxed SIMD is not supported here/);
        assert.ok(await page.evaluate(() => stillWorks()));
      });
    } finally {
      await server.close();
    }
  });

  const skip = lacks("relaxed SIMD");
  test("a wrong relaxed dot fails its self-test; plain builds answer", { skip }, async () => {
    const server = await serve({ isolated: true });
    try {
      await withSdk(browser, server, async (page) => {
        const outcomes = await page.evaluate(async () => {
          // i16x8.relaxed_dot_i8x16_i7x16_s becomes i16x8.mul, an instruction of the same length
          // and type.
          const computingWrongly = async (variant) => {
            const wasm = new Uint8Array(
              await (await fetch(`/dist/wasm/tiny-vlm-${variant}.wasm`)).arrayBuffer(),
            );
            for (let i = 0; i + 2 < wasm.length; i++)
              if (wasm[i] === 0xfd && wasm[i + 1] === 0x92 && wasm[i + 2] === 0x02)
                wasm.set([0xfd, 0x95, 0x01], i);
            return URL.createObjectURL(new Blob([wasm], { type: "application/wasm" }));
          };
          const wasmUrl = {
            relaxed: await computingWrongly("relaxed"),
            "relaxed-mt": await computingWrongly("relaxed-mt"),
          };
          const outcomes = [];
          for (const [threads, refused] of [
            [1, "relaxed"],
            [2, "relaxed-mt"],
          ]) {
            const vlm = await TinyVLM.load(undefined, { threads, wasmUrl });
            const { text } = await ask(
              vlm,
              "/examples-web/samples/sample-6.png",
              "How many objects are in the picture?",
            );
            await vlm.dispose();
            outcomes.push({
              variant: vlm.variant,
              text,
              named: await tryLoad(undefined, { variant: refused, threads, wasmUrl }),
            });
          }
          return outcomes;
        });
        assert.deepEqual(
          outcomes.map(({ variant, text }) => [variant, text]),
          [
            ["simd", "Three."],
            ["simd-mt", "Three."],
          ],
        );
        for (const { named } of outcomes) {
          assert.equal(named.code, "unsupported");
          assert.match(
            named.message,
            /self-test failed: self-test: relaxed dot product: -?\d+ wanted, -?\d+ found in lane/,
          );
        }
      });
    } finally {
      await server.close();
    }
  });
});
