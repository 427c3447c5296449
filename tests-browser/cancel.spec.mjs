// "Stop": leaving the loop, a signal, dispose(), while the model encodes an image, answers or still
// loads.
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { launchBrowser, serve, slowness, withSdk } from "./harness.mjs";

const CANCEL_LIMIT_MS = 200 * slowness;

describe("cancelling", () => {
  let browser;
  let server;
  before(async () => {
    browser = await launchBrowser();
    server = await serve({
      routes: {
        // A model that never arrives whole: its first bytes, then silence.
        "/endless.gguf": (request, response) => {
          response.writeHead(200, {
            "Content-Type": "application/octet-stream",
            "Content-Length": 50_000_000,
          });
          response.write(Buffer.from("GGUF\x03\0\0\0", "latin1"));
        },
      },
    });
  });
  after(async () => {
    await browser.close();
    await server.close();
  });

  test("break out of the loop ends the work, and the next question is answered", async () => {
    await withSdk(browser, server, async (page) => {
      const { reasons, tokens, next } = await page.evaluate(async () => {
        const vlm = await TinyVLM.load();
        const reasons = [];
        let tokens = 0;
        // A high temperature makes a long answer of nonsense; it may still end at once by itself,
        // so several seeds are tried.
        for (let seed = 1; seed <= 5 && !reasons.includes("cancelled"); seed++) {
          const reply = vlm.ask(
            "/examples-web/samples/sample-3.png",
            "Describe the image in detail.",
            { temperature: 5, maxTokens: 1500, seed },
          );
          for await (const _ of reply) break;
          const { finishReason, usage } = await reply;
          reasons.push(finishReason);
          tokens = usage.completionTokens;
        }
        const next = (
          await ask(vlm, "/examples-web/samples/sample-3.png", "Describe the image in detail.")
        ).text;
        await vlm.dispose();
        return { reasons, tokens, next };
      });
      assert.equal(reasons.at(-1), "cancelled");
      assert.ok(tokens < 1500);
      assert.equal(next, "A peach, a penguin and a violin on a yellow background.");
    });
  });

  test("a signal rejects with the name AbortError at any moment of the answer", async () => {
    await withSdk(browser, server, async (page) => {
      const { outcomes, early, next } = await page.evaluate(async () => {
        const vlm = await TinyVLM.load();
        const outcomes = [];
        const askAndAbort = async (model, when, run) => {
          const abort = new AbortController();
          let abortedAt = 0;
          const fire = () => {
            abortedAt = performance.now();
            abort.abort();
          };
          const outcome = await settle(run(abort.signal, fire));
          outcomes.push({
            when,
            code: outcome.code,
            name: outcome.name,
            tookMs: performance.now() - abortedAt,
          });
          // The worker has stopped, too: the next question is answered at once.
          const { timings } = await model.ask(null, "Hello", { maxTokens: 1 });
          outcomes.at(-1).freeAfterMs = timings.firstTokenMs;
        };
        // Encoding eight new images with nine times the usual pixels takes longer than any of
        // these delays.
        const large = await TinyVLM.load(undefined, { imageSize: 768 });
        const newImages = () =>
          Array.from({ length: 8 }, () => {
            const pixels = new ImageData(256, 256);
            crypto.getRandomValues(new Uint8Array(pixels.data.buffer, 0, 65536));
            return pixels;
          });
        for (const delayMs of [0, 10, 50, 150]) {
          await askAndAbort(large, `after ${delayMs} ms, while it encodes`, (signal, fire) => {
            setTimeout(fire, delayMs);
            return large.ask(newImages(), "Describe the image.", { signal });
          });
        }
        await large.dispose();
        await askAndAbort(vlm, "at the first text", async (signal, fire) => {
          const reply = vlm.ask(
            "/examples-web/samples/sample-3.png",
            "Describe the image in detail.",
            { signal, temperature: 5, maxTokens: 1500 },
          );
          for await (const _ of reply) fire();
          return reply;
        });
        const early = await settle(
          vlm.ask("/examples-web/samples/sample-1.png", "Describe the image.", {
            signal: AbortSignal.abort(),
          }),
        );
        const next = (await ask(vlm, "/examples-web/samples/sample-1.png", "Describe the image."))
          .text;
        await vlm.dispose();
        return { outcomes, early, next };
      });
      for (const { when, code, name, tookMs, freeAfterMs } of outcomes) {
        assert.deepEqual({ code, name }, { code: "aborted", name: "AbortError" }, when);
        assert.ok(
          tookMs <= CANCEL_LIMIT_MS,
          `aborted ${when}: the rejection came ${tookMs.toFixed(0)} ms after the signal`,
        );
        assert.ok(
          freeAfterMs <= 2 * CANCEL_LIMIT_MS,
          `aborted ${when}: the next first word took ${freeAfterMs.toFixed(0)} ms`,
        );
      }
      assert.equal(early.code, "aborted");
      assert.equal(next, "A sunflower.");
    });
  });

  test("dispose() rejects pending and later questions, and the page can load anew", async () => {
    await withSdk(browser, server, async (page) => {
      const { pending, later, works } = await page.evaluate(async () => {
        // takes longer than the delay below
        const vlm = await TinyVLM.load(undefined, { imageSize: 768 });
        const images = Array.from({ length: 8 }, (_, index) => new ImageData(256 + index, 256));
        const pending = settle(vlm.ask(images, "Describe the image."));
        await new Promise((resolve) => setTimeout(resolve, 50));
        await vlm.dispose();
        const later = await settle(vlm.ask(null, "Are you there?"));
        await vlm.dispose(); // a second time is no error
        return { pending: await pending, later, works: await stillWorks() };
      });
      assert.equal(pending.code, "aborted", JSON.stringify(pending));
      assert.equal(later.code, "not_ready", JSON.stringify(later));
      assert.ok(works);
    });
  });

  test("a signal ends a load that waits for the network", async () => {
    await withSdk(browser, server, async (page) => {
      const { outcome, tookMs, works } = await page.evaluate(async () => {
        const abort = new AbortController();
        let abortedAt = 0;
        setTimeout(() => {
          abortedAt = performance.now();
          abort.abort();
        }, 400);
        const outcome = await tryLoad("/endless.gguf", { signal: abort.signal });
        return { outcome, tookMs: performance.now() - abortedAt, works: await stillWorks() };
      });
      assert.equal(outcome.code, "aborted");
      assert.equal(outcome.name, "AbortError");
      assert.ok(tookMs <= CANCEL_LIMIT_MS, `${tookMs.toFixed(0)} ms`);
      assert.ok(works);
    });
  });
});
