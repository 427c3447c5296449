// "Our site forbids eval, other origins and script addresses that nobody vouches for": the package
// runs under the policies that docs/hosting.md gives, and needs every word of them.
import assert from "node:assert/strict";
import { readFileSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { integrity } from "../scripts/release.mjs";
import { engine, launchBrowser, root, serve, withPage, withSdk } from "./harness.mjs";

// blob: and data: are missing on purpose.
const POLICY = {
  "default-src": "'none'",
  "script-src": "'self' 'wasm-unsafe-eval'",
  "worker-src": "'self'",
  "connect-src": "'self'",
  "require-trusted-types-for": "'script'",
  "trusted-types": "tiny-vlm",
  "base-uri": "'none'",
  "form-action": "'none'",
  "frame-ancestors": "'none'",
};

const written = (policy) =>
  Object.entries(policy)
    .map(([name, values]) => `${name} ${values}`)
    .join("; ");

// Not every browser has Trusted Types, and only Chromium tells all of it on the page's console.
const skip = engine.name === "Chromium" ? false : "told of on the console of Chromium only";

/** What the browser says about its policy, of the page and its workers. */
function violationsOf(page) {
  const violations = [];
  page.on("console", (message) => {
    if (/content security policy|trusted ?(type|script)/i.test(message.text()))
      violations.push(message.text());
  });
  return violations;
}

// Runs in the page.
async function answers() {
  const vlm = await TinyVLM.load();
  const question = "How many objects are in the picture?";
  const { text } = await vlm.ask("/examples-web/samples/sample-6.png", question);
  const file = await (await fetch("/examples-web/samples/sample-6.png")).blob();
  const same = (await vlm.ask(file, question)).text === text;
  await vlm.dispose();
  return { text, same, variant: vlm.variant, kept: (await TinyVLM.cache.list()).length };
}

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
      const policy = written({ ...POLICY, "report-uri": "/violations" });
      const server = await serve({ isolated, csp: policy, routes });
      try {
        await withSdk(browser, server, async (page) => {
          assert.deepEqual(await page.evaluate(answers), {
            text: "Three.",
            same: true,
            variant: engine.variants[isolated ? "isolated" : "plain"],
            kept: 1,
          });
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

  /** What comes of `run` in a page under a policy, and what the browser says about the policy. */
  async function under(policy, run, argument, options = {}) {
    const server = await serve({ csp: written(policy), ...options });
    try {
      return await withSdk(browser, server, async (page) => {
        const violations = violationsOf(page);
        return { ...(await page.evaluate(run, argument)), violations };
      });
    } finally {
      await server.close();
    }
  }

  test("a checkpoint is converted, too", { skip }, async () => {
    const folder = join(root, "tests-native", "goldens", "t0-hf");
    const names = readdirSync(folder).filter((name) => !name.startsWith("case-"));
    const load = async (names) => {
      const get = async (name) => new File([await (await fetch(`/at/${name}`)).blob()], name);
      const vlm = await TinyVLM.load(await Promise.all(names.map(get)), { type: "q4_0" });
      const { fileBytes } = vlm.info;
      await vlm.dispose();
      return { fileBytes };
    };
    const told = await under(POLICY, load, names, { extraMounts: { "/at/": folder } });
    assert.ok(told.fileBytes > 100_000, String(told.fileBytes));
    assert.deepEqual(told.violations, []);
  });

  test("what a page must allow is missed where it does not, with a reason", { skip }, async () => {
    const load = () => tryLoad();
    for (const [name, values, code, message] of [
      ["script-src", "'self'", "unsupported", /'wasm-unsafe-eval'/],
      ["worker-src", "'none'", "worker", /content security policy/],
      ["connect-src", "'none'", "network", /wasm\/tiny-vlm-relaxed\.wasm/],
      ["trusted-types", "'none'", "worker", /TrustedScriptURL/],
    ]) {
      const told = await under({ ...POLICY, [name]: values }, load);
      assert.equal(told.code, code, `${name} ${values}: ${told.message}`);
      assert.match(told.message, message);
    }
  });

  test("SVG images want img-src blob: and a policy of their own", { skip }, async () => {
    const ask = async () => {
      const svg =
        '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 9 9"><path d="M0 0h5v5"/></svg>';
      const vlm = await TinyVLM.load();
      const image = new Blob([svg], { type: "image/svg+xml" });
      const outcome = await settle(vlm.ask(image, "Describe the image.", { maxTokens: 4 }));
      await vlm.dispose();
      return outcome;
    };
    const both = { "trusted-types": "tiny-vlm tiny-vlm-svg", "img-src": "blob:" };
    const unparsed = await under({ ...POLICY, ...both, "trusted-types": "tiny-vlm" }, ask);
    assert.equal(unparsed.code, "invalid_image");
    assert.match(unparsed.message, /tiny-vlm-svg/);
    const unshown = await under({ ...POLICY, ...both, "img-src": "'none'" }, ask);
    assert.equal(unshown.code, "invalid_image");
    assert.match(unshown.message, /img-src blob:/);
    const allowed = await under({ ...POLICY, ...both }, ask);
    assert.equal(allowed.code, undefined, allowed.message);
    assert.deepEqual(allowed.violations, []);
  });

  // As a page uses a CDN: it names the script's hash, the browser compares it.
  async function withScriptOf(hash, check) {
    const cdn = await serve({ cors: true });
    const policy = {
      ...POLICY,
      "script-src": `${cdn.url}/dist/ 'wasm-unsafe-eval'`,
      "worker-src": "blob:",
      "connect-src": `'self' ${cdn.url}/dist/`,
    };
    const script = `${cdn.url}/dist/tiny-vlm.iife.js`;
    const html = `<!doctype html><script src="${script}" integrity="${hash}" crossorigin>
      </script>`;
    const page = await serve({
      csp: written(policy),
      routes: {
        "/page.html": (_, response) =>
          response.writeHead(200, { "Content-Type": "text/html" }).end(html),
      },
    });
    try {
      const url = `${page.url}/page.html`;
      await withPage(browser, url, async (tab) => check(tab, violationsOf(tab)));
    } finally {
      await page.close();
      await cdn.close();
    }
  }

  test(
    "the script of another origin is held to its hash; its worker wants blob:",
    { skip },
    async () => {
      const bytes = readFileSync(join(root, "dist", "tiny-vlm.iife.js"));
      await withScriptOf(integrity(bytes), async (page, violations) => {
        const { text, same } = await page.evaluate(answers);
        assert.deepEqual({ text, same }, { text: "Three.", same: true });
        assert.deepEqual(violations, []);
      });
      await withScriptOf(integrity(`${bytes} `), async (page) => {
        assert.equal(await page.evaluate(() => typeof TinyVLM), "undefined");
      });
    },
  );
});
