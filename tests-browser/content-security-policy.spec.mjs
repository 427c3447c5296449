// "Our site forbids eval": the package runs under a strict policy that allows WebAssembly and
// nothing else out of the ordinary.
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { engine, launchBrowser, serve, withSdk } from "./harness.mjs";

// blob: and data: are missing on purpose.
const POLICY = [
  "default-src 'none'",
  "script-src 'self' 'wasm-unsafe-eval'",
  "worker-src 'self'",
  "connect-src 'self'",
  "img-src 'self'",
  "base-uri 'none'",
  "form-action 'none'",
  "report-uri /violations",
].join("; ");

describe("under a strict content security policy", () => {
  let browser;
  before(async () => {
    browser = await launchBrowser();
  });
  after(() => browser.close());

  for (const isolated of [true, false]) {
    test(`there is no violation, ${isolated ? "with" : "without"} threads`, async () => {
      const violations = [];
      const routes = {
        "/violations": (request, response) => {
          request.on("data", (part) => violations.push(String(part)));
          request.on("end", () => response.writeHead(204).end());
        },
      };
      const server = await serve({ isolated, csp: POLICY, routes });
      try {
        await withSdk(browser, server, async (page) => {
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
          assert.equal(variant, engine.variants[isolated ? "isolated" : "plain"]);
          assert.deepEqual(violations, []);
          // One that is provoked is told: nobody was deaf.
          await page.evaluate(() => {
            document.body.append(Object.assign(new Image(), { src: "data:image/png,1" }));
          });
          for (let waited = 0; violations.length === 0 && waited < 10_000; waited += 50)
            await new Promise((resolve) => setTimeout(resolve, 50));
          assert.match(violations.join(), /img-src/);
        });
      } finally {
        await server.close();
      }
    });
  }
});
