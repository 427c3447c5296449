// Engines in Chromium, as contenders: {ours, weights, engine, run(round)}.
import { basename, dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { launchChromium, serve, withPage } from "../../tests-browser/harness.mjs";

const here = dirname(fileURLToPath(import.meta.url));

// The method of page.js that a work calls, and who takes part: ours once for each kind of weights,
// then the peers.
const METHODS = {
  vision: "vision",
  prefill: "prefill",
  decode: "decode",
  "first-word": "firstWord",
  load: "load",
};
const PARTS = {
  vision: {
    ours: { q8_0: "vision-q8_0.gguf", q5_0: "vision-q5_0.gguf" },
    peers: { "onnxruntime-web": { weights: "f32", model: "vision-f32.onnx" } },
  },
  prefill: {
    ours: { q4_0: "text-q4_0.gguf" },
    peers: { wllama: { weights: "q4_0", model: "text-q4_0.gguf" } },
  },
  decode: {
    ours: { q4_0: "text-q4_0.gguf" },
    peers: { wllama: { weights: "q4_0", model: "text-q4_0.gguf" } },
  },
  "first-word": { ours: { q8_0: null }, peers: {} },
  load: {
    ours: { q4_0: "text-q4_0.gguf" },
    peers: { wllama: { weights: "q4_0", model: "text-q4_0.gguf" } },
  },
};

/** Starts Chromium and a server; `close` ends both. */
export async function startBrowser({ models, peers }) {
  const browser = await launchChromium();
  const server = await serve({
    isolated: true,
    extraMounts: { "/models/": models, "/peers/": join(peers, "node_modules"), "/bench/": here },
  });
  return {
    about: `Chromium ${browser.version()}`,

    /** Calls `body` with the contenders of a work, on a page of their own. */
    measure({ kind, imageSize, threads, variants }, body) {
      const address = (model) => (model === null ? undefined : `/models/${basename(model)}`);
      return withPage(browser, `${server.url}/bench/page.html`, async (page) => {
        await page.waitForFunction(() => window.isReady);
        const contenders = [];
        const enter = async (contender, engine, options) => {
          const name = String(contenders.length);
          await page.evaluate(
            ([name, engine, options]) => window.bench.open(name, engine, options),
            [name, engine, { ...options, threads, imageSize, work: kind }],
          );
          contenders.push({
            ...contender,
            run: (round) =>
              page.evaluate(
                ([name, method, round]) => window.bench.run(name, method, round),
                [name, METHODS[kind], round],
              ),
          });
        };
        const { ours, peers: others } = PARTS[kind];
        for (const variant of variants) {
          for (const [weights, model] of Object.entries(ours))
            await enter({ ours: variant, weights }, "tiny-vlm", { variant, model: address(model) });
        }
        for (const [peer, { weights, model }] of Object.entries(others))
          await enter({ peer, weights }, peer, { model: address(model) });
        const result = await body(contenders);
        await page.evaluate(() => window.bench.close());
        return result;
      });
    },

    async close() {
      await browser.close();
      await server.close();
    },
  };
}
