// What every browser spec needs: a browser, a server with the built package behind it, pages that
// fail the test on a stray error, shared data.
import assert from "node:assert/strict";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { startServer } from "../scripts/server.mjs";
import { browserNames } from "../scripts/setup/browsers.mjs";
import * as chromium from "./browsers/chromium.mjs";

export const root = dirname(dirname(fileURLToPath(import.meta.url)));

const chosen = process.env.TINYVLM_BROWSER ?? "chromium";
assert.ok(
  browserNames.includes(chosen),
  `TINYVLM_BROWSER is "${chosen}", wanted one of ${browserNames.join(", ")}`,
);

/**
 * The browser that the specs run in, by the environment variable TINYVLM_BROWSER: "chromium"
 * (default), "firefox" or "webkit". `name` is for people, `variants` are the builds that it can run
 * and chooses by itself, on an isolated page and on any other.
 */
export const engine = await import(`./browsers/${chosen}.mjs`);

/**
 * How many times as slow this machine is as a quiet one, by the environment variable
 * TINYVLM_SLOWNESS (default: 1): time limits are so many times as long.
 */
export const slowness = Number(process.env.TINYVLM_SLOWNESS ?? 1);

/** Why a spec that needs `what` is skipped here, or false where it runs: for node:test's `skip`. */
export const lacks = (what) => engine.missing[what] ?? false;

/** The sample images with their questions and the answers of the demo model in 32 bits. */
export const samples = JSON.parse(
  readFileSync(join(root, "examples-web", "samples", "samples.json"), "utf8"),
);
export const samplePath = (name) => join(root, "examples-web", "samples", name);
export const demoModelPath = join(root, "dist", "model", "tiny-vlm-demo.gguf");

/**
 * The browser, headless, with a profile that is thrown away. `hosts`: names that lead to this
 * machine; `preferences`: Firefox's, as in about:config.
 */
export const launchBrowser = (options) => engine.launch(options);

/** Chromium, whatever the specs run in, with these flags more: for measurements. */
export const launchChromium = (flags = []) => chromium.launch({ flags });

/** Chromium, headless, with its profile in `folder`: what pages store lies on the disk. */
export const launchChromiumWithProfile = chromium.launchWithProfile;

/**
 * A server of the package, the examples, the test pages and `extraMounts`. Other options as
 * startServer's.
 */
export function serve({ extraMounts = {}, ...options } = {}) {
  assert.ok(
    existsSync(join(root, "dist", "index.mjs")),
    "dist/ is missing: run npm run build first",
  );
  const mounts = {
    "/dist/": join(root, "dist"),
    "/examples-web/": join(root, "examples-web"),
    "/tests-browser/pages/": join(root, "tests-browser", "pages"),
    ...extraMounts,
  };
  return startServer({ mounts, ...options });
}

/**
 * Runs `body` with a page at `path`; fails when the page throws an error that nobody caught.
 * @param {import("playwright-core").Browser} browser
 * @param {string} url
 * @param {(page: import("playwright-core").Page) => Promise<T>} body
 * @param {import("playwright-core").BrowserContextOptions} [options]
 * @template T
 */
export async function withPage(browser, url, body, options) {
  const context = await browser.newContext(options);
  try {
    const page = await context.newPage();
    page.setDefaultTimeout(30_000 * slowness);
    const strayErrors = [];
    page.on("pageerror", ({ message }) => {
      if (!engine.isRemark?.(message)) strayErrors.push(message);
    });
    await page.goto(url);
    const result = await body(page);
    if (!page.isClosed()) await page.evaluate(() => {}); // errors come no later than its answer
    assert.deepEqual(strayErrors, [], "the page threw errors that nobody caught");
    return result;
  } finally {
    await context.close();
  }
}

/**
 * A page with the SDK on it (pages/sdk.js): TinyVLM, ask, settle, tryLoad and stillWorks are its
 * globals.
 */
export function withSdk(browser, server, body) {
  return withPage(browser, `${server.url}/tests-browser/pages/sdk.html`, async (page) => {
    await page.waitForFunction(() => window.isReady);
    return body(page);
  });
}

/** The playground once its suggestions are there. */
export function withPlayground(browser, server, body, options) {
  return withPage(
    browser,
    `${server.url}/examples-web/playground/`,
    async (page) => {
      await page.waitForSelector(".chip");
      return body(page);
    },
    options,
  );
}

/**
 * A path under the shared test data, or null where that is missing; with REQUIRE_SHARED=1 a missing
 * one fails.
 */
export function sharedPath(relative) {
  const path = join(process.env.TINYVLM_SHARED ?? join(root, "..", "shared"), relative);
  if (existsSync(path)) return path;
  assert.notEqual(process.env.REQUIRE_SHARED, "1", `REQUIRE_SHARED=1, but ${path} is missing`);
  return null;
}

/**
 * Chooses a folder of this machine. Where the driver cannot, the page is handed the files that its
 * chooser would give it.
 */
export async function chooseFolder(page, selector, folder) {
  if (!lacks("a chooser of folders")) return page.setInputFiles(selector, folder);
  const name = basename(folder);
  const files = readdirSync(folder).map((file) => ({
    name: file,
    path: `${name}/${file}`,
    base64: readFileSync(join(folder, file), "base64"),
  }));
  await page.evaluate(
    ([selector, given]) => {
      const files = given.map(({ name, path, base64 }) => {
        const bytes = Uint8Array.from(atob(base64), (letter) => letter.charCodeAt(0));
        const file = new File([bytes], name, { type: name.endsWith(".png") ? "image/png" : "" });
        return Object.defineProperty(file, "webkitRelativePath", { value: path });
      });
      const input = document.querySelector(selector);
      Object.defineProperty(input, "files", { value: files });
      input.dispatchEvent(new Event("change", { bubbles: true }));
    },
    [selector, files],
  );
}

/**
 * The text of the file that a click on `selector` saves. Where the driver tells of no download, it
 * is what the page made an address of.
 */
export async function downloadOf(page, selector) {
  if (!lacks("downloads")) {
    const [download] = await Promise.all([page.waitForEvent("download"), page.click(selector)]);
    return readFileSync(await download.path(), "utf8");
  }
  await page.evaluate(() => {
    const make = URL.createObjectURL;
    URL.createObjectURL = (blob) => {
      window.savedText = blob.text();
      return make(blob);
    };
  });
  await page.click(selector);
  await page.waitForFunction(() => window.savedText);
  return page.evaluate(() => window.savedText);
}

/** Takes the network from a page; where the driver cannot, the servers have to be closed. */
export async function goOffline(page) {
  if (!lacks("a network that ends")) await page.context().setOffline(true);
}
