// "Our site forbids eval": the package runs under a strict policy that allows WebAssembly and
// nothing else out of the ordinary.
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { launchBrowser, serve, withSdk } from "./harness.mjs";

// blob: and data: are missing on purpose.
const POLICY = [
  "default-src 'none'",
  "script-src 'self' 'wasm-unsafe-eval'",
  "worker-src 'self'",
  "connect-src 'self'",
  "img-src 'self'",
  "base-uri 'none'",
  "form-action 'none'",
].join("; ");

describe("under a strict content security policy", () => {
  let browser;
  before(async () => {
    browser = await launchBrowser();
  });
  after(() => browser.close());

  for (const isolated of [true, false]) {
    test(`there is no violation, ${isolated ? "with" : "without"} threads`, async () => {
      const server = await serve({ isolated, csp: POLICY });
      try {
        await withSdk(browser, server, async (page) => {
          const violations = [];
          page.on("console", (message) => {
            if (/content security policy/i.test(message.text())) violations.push(message.text());
          });
          const { text, variant, words } = await page.evaluate(async () => {
            const vlm = await TinyVLM.load();
            const { text, variant } = await ask(
              vlm,
              "/examples-web/samples/sample-6.png",
              "How many objects are in the picture?",
            );
            const words = (
              await ask(vlm, null, "How many objects are in the picture?", { maxTokens: 4 })
            ).usage.completionTokens;
            await vlm.dispose();
            return { text, variant, words };
          });
          assert.equal(text, "Three.");
          assert.ok(words >= 1);
          assert.equal(variant, isolated ? "relaxed-mt" : "relaxed");
          assert.deepEqual(violations, []);
        });
      } finally {
        await server.close();
      }
    });
  }
});
