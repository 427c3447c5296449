// "Something is wrong with my input": a typed error that says what, and a page that keeps working.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { after, before, describe, test } from "node:test";
import { demoModelPath, launchBrowser, samplePath, serve, withSdk } from "./harness.mjs";

describe("bad input", () => {
  let browser;
  let server;
  before(async () => {
    browser = await launchBrowser();
    const model = readFileSync(demoModelPath);
    const part = model.subarray(0, Math.floor(model.length * 0.6));
    const altered = Buffer.from(model);
    altered[Math.floor(model.length * 0.7)] ^= 0x10;
    const png = readFileSync(samplePath("sample-2.png"));
    const crcBroken = Buffer.from(png);
    crcBroken[Math.floor(png.length / 2)] ^= 0xff;
    const sends =
      (bytes, type = "application/octet-stream") =>
      (request, response) =>
        response
          .writeHead(200, { "Content-Type": type, "Content-Length": bytes.length })
          .end(bytes);
    server = await serve({
      routes: {
        "/page.gguf": (request, response) =>
          response
            .writeHead(200, { "Content-Type": "text/html" })
            .end("<!doctype html><title>Log in</title>"),
        "/unlabelled-page.gguf": sends(
          Buffer.from("<!doctype html><title>Log in</title>".repeat(50)),
        ),
        "/truncated.gguf": sends(part),
        "/empty.gguf": sends(Buffer.alloc(0)),
        "/altered.gguf": sends(altered),
        "/image.gguf": sends(png),
        "/dropped.gguf": (request, response) => {
          response.writeHead(200, {
            "Content-Type": "application/octet-stream",
            "Content-Length": model.length,
          });
          response.write(part, () => setTimeout(() => response.destroy(), 100));
        },
        "/cut.png": sends(png.subarray(0, Math.floor(png.length / 2)), "image/png"),
        "/crc.png": sends(crcBroken, "image/png"),
        "/words.png": sends(Buffer.from("this is no image at all"), "image/png"),
        "/error-500.png": (request, response) => response.writeHead(500).end("no"),
      },
    });
  });
  after(async () => {
    await browser.close();
    await server.close();
  });

  const models = [
    { what: "a model that is not there", source: "/nowhere.gguf", code: "http", message: /404/ },
    {
      what: "a web page where the model should be",
      source: "/page.gguf",
      code: "invalid_file",
      message: /web page|text\/html/,
    },
    {
      what: "a web page that claims to be a file",
      source: "/unlabelled-page.gguf",
      code: "invalid_file",
    },
    { what: "a truncated model", source: "/truncated.gguf", code: "invalid_file" },
    { what: "an empty file", source: "/empty.gguf", code: "invalid_file" },
    { what: "a model with one altered bit", source: "/altered.gguf", code: "invalid_file" },
    { what: "another kind of file", source: "/image.gguf", code: "invalid_file" },
    { what: "a connection that drops in mid-download", source: "/dropped.gguf", code: "network" },
    {
      what: "a server that does not exist",
      source: "http://127.0.0.1:1/model.gguf",
      code: "network",
    },
  ];
  for (const { what, source, code, message = /./ } of models) {
    test(`${what} ends in the code ${code}, and the page works on`, async () => {
      await withSdk(browser, server, async (page) => {
        const { outcome, works } = await page.evaluate(
          async (source) => ({ outcome: await tryLoad(source), works: await stillWorks() }),
          source,
        );
        assert.equal(outcome.code, code, JSON.stringify(outcome));
        assert.match(outcome.message, message);
        assert.ok(works);
      });
    });
  }

  test("bytes and blobs that are no model end in the code invalid_file", async () => {
    await withSdk(browser, server, async (page) => {
      const outcomes = await page.evaluate(async () => {
        const outcomes = [
          await tryLoad(new Uint8Array(1000)),
          await tryLoad(new Blob(["nothing of use"])),
          await tryLoad(new File([], "empty.gguf")),
        ];
        outcomes.push(await tryLoad(await fetch("/truncated.gguf")));
        return outcomes;
      });
      for (const outcome of outcomes)
        assert.equal(outcome.code, "invalid_file", JSON.stringify(outcome));
    });
  });

  test("a missing worker script ends in the code worker, and the page works on", async () => {
    await withSdk(browser, server, async (page) => {
      const { outcome, works } = await page.evaluate(async () => ({
        outcome: await tryLoad(undefined, {
          workerUrl: new URL("/dist/no-such-worker.mjs", location.href),
        }),
        works: await stillWorks(),
      }));
      assert.equal(outcome.code, "worker", JSON.stringify(outcome));
      assert.ok(works);
    });
  });

  test("a missing wasm file ends in the code http, and the page works on", async () => {
    await withSdk(browser, server, async (page) => {
      const { outcome, works } = await page.evaluate(async () => ({
        outcome: await tryLoad(undefined, {
          wasmUrl: new URL("/dist/wasm/no-such.wasm", location.href),
          variant: "simd",
        }),
        works: await stillWorks(),
      }));
      assert.equal(outcome.code, "http", JSON.stringify(outcome));
      assert.ok(works);
    });
  });

  test("threads asked for on a page that is not isolated end in the code unsupported", async () => {
    await withSdk(browser, server, async (page) => {
      const outcome = await page.evaluate(() => tryLoad(undefined, { variant: "simd-mt" }));
      assert.equal(outcome.code, "unsupported", JSON.stringify(outcome));
    });
  });

  test("bad images and questions end in their codes; the next question is answered", async () => {
    await withSdk(browser, server, async (page) => {
      const { outcomes, next } = await page.evaluate(async () => {
        const vlm = await TinyVLM.load();
        const tries = {
          "an image that is cut off": ["/cut.png", "What is this?"],
          "an image that is cut off, exactly": [
            "/cut.png",
            "What is this?",
            { exactPreprocess: true },
          ],
          "an image with a wrong checksum, exactly": [
            "/crc.png",
            "What is this?",
            { exactPreprocess: true },
          ],
          "words in place of an image": ["/words.png", "What is this?"],
          "bytes that are no image": [new Uint8Array(100), "What is this?"],
          "an image that is not there": ["/nowhere.png", "What is this?"],
          "a server with an error": ["/error-500.png", "What is this?"],
          "pixels that do not fit the size": [
            { data: new Uint8Array(10), width: 4, height: 4 },
            "What is this?",
          ],
          "an image of another type": [42, "What is this?"],
          "a temperature below zero": [null, "What is this?", { temperature: -1 }],
          "more text than the context holds": [null, "word ".repeat(20000)],
        };
        const outcomes = {};
        for (const [what, [image, question, options]] of Object.entries(tries)) {
          outcomes[what] = await settle((async () => vlm.ask(image, question, options))());
        }
        const next = (await ask(vlm, "/examples-web/samples/sample-1.png", "Describe the image."))
          .text;
        await vlm.dispose();
        return { outcomes, next };
      });
      const expected = {
        "an image that is cut off": "invalid_image",
        "an image that is cut off, exactly": "invalid_image",
        "an image with a wrong checksum, exactly": "invalid_image",
        "words in place of an image": "invalid_image",
        "bytes that are no image": "invalid_image",
        "an image that is not there": "http",
        "a server with an error": "http",
        "pixels that do not fit the size": "invalid_argument",
        "an image of another type": "invalid_argument",
        "a temperature below zero": "invalid_argument",
        "more text than the context holds": "context_full",
      };
      for (const [what, code] of Object.entries(expected))
        assert.equal(outcomes[what].code, code, `${what}: ${JSON.stringify(outcomes[what])}`);
      assert.equal(next, "A sunflower.");
    });
  });
});
