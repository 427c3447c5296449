// The documentation's site as people meet it: from a disk, by search, by keyboard, on a phone, in
// the dark, on paper; and it asks nothing of anybody else.
import assert from "node:assert/strict";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { pathToFileURL } from "node:url";
import { buildSite, output } from "../scripts/docs.mjs";
import { startServer } from "../scripts/server.mjs";
import { assertAccessible } from "./accessible.mjs";
import { engine, lacks, launchBrowser, withPage } from "./harness.mjs";

const phone = { viewport: { width: 390, height: 844 }, isMobile: true, hasTouch: true };
const narrow = { skip: lacks("a narrow window") };
const onDisk = (path) => pathToFileURL(join(output, path)).href;

describe("documentation", () => {
  let browser;
  before(async () => {
    await buildSite();
    browser = await launchBrowser();
  });
  after(() => browser.close());

  test("the search finds an error code from a disk, by keyboard alone", async () => {
    await withPage(browser, onDisk("docs/sdk.html"), async (page) => {
      await page.keyboard.press("/");
      await page.keyboard.type("context_full");
      await page.waitForSelector("#results li");
      await page.keyboard.press("ArrowDown");
      await page.keyboard.press("ArrowUp");
      assert.equal(await page.getAttribute("#results li", "aria-selected"), "true");
      await page.keyboard.press("Enter");
      await page.waitForURL(/\.html(#.*)?$/);
      assert.match(await page.textContent("main"), /context_full/);
    });
  });

  test("the search finds public names of TypeScript and C in the reference", async () => {
    const found = async (page, words) => {
      await page.fill("#search", words);
      await page.waitForFunction(
        (wanted) => document.querySelector("#results strong")?.textContent === wanted,
        words,
      );
      return page.getAttribute("#results li", "data-href");
    };
    await withPage(browser, onDisk("index.html"), async (page) => {
      assert.match(
        await found(page, "AskOptions.maxTokens"),
        /docs\/reference-typescript\.html#askoptionsmaxtokens$/,
      );
      assert.match(
        await found(page, "tvlm_session_ask"),
        /docs\/reference-c\.html#tvlm_session_ask$/,
      );
    });
  });

  test("a search without results says so, and Escape closes the list", async () => {
    await withPage(browser, onDisk("docs/errors.html"), async (page) => {
      await page.fill("#search", "qqqqqq");
      await page.waitForFunction(
        () => document.getElementById("search-status").textContent === "Nothing found",
      );
      await page.fill("#search", "memory");
      await page.waitForSelector("#results li");
      await page.keyboard.press("Escape");
      assert.equal(await page.isVisible("#results"), false);
    });
  });

  test("served in a folder of any host, it asks nothing of other origins", async () => {
    const server = await startServer({ mounts: { "/some/folder/": output } });
    try {
      const asked = [];
      const context = await engine.newWatchedContext(browser, (url) => asked.push(url));
      const page = await context.newPage();
      for (const path of ["index.html", "docs/", "docs/reference-c.html", "docs/notes/"]) {
        await page.goto(`${server.url}/some/folder/${path}`);
        await page.fill("#search", "weights");
        await page.waitForSelector("#results li");
      }
      assert.deepEqual(
        asked.filter((url) => !url.startsWith(`${server.url}/some/folder/`)),
        [],
      );
      await context.close();
    } finally {
      await server.close();
    }
  });

  test("the site's examples run where the site is", async () => {
    const server = await startServer({ mounts: { "/folder/": output } });
    try {
      const url = `${server.url}/folder/examples-web/script-tag.html`;
      await withPage(browser, url, async (page) => {
        await page.click("button");
        await page.waitForFunction(() => /\.$/.test(document.querySelector("output").textContent));
      });
    } finally {
      await server.close();
    }
  });

  for (const [name, options] of Object.entries({
    desktop: {},
    phone,
    dark: { colorScheme: "dark" },
  }))
    test(`pages are accessible and fit: ${name}`, name === "phone" ? narrow : {}, async () => {
      for (const path of ["index.html", "docs/sdk.html", "docs/reference-typescript.html"])
        await withPage(
          browser,
          onDisk(path),
          async (page) => {
            await page.fill("#search", "memory");
            await page.waitForSelector("#results li");
            await assertAccessible(page, `${path}, ${name}`);
            const overhang = await page.evaluate(
              () => document.documentElement.scrollWidth - document.documentElement.clientWidth,
            );
            assert.equal(overhang, 0, `${path} does not scroll sideways`);
          },
          options,
        );
    });

  test("the contents open on a phone, and lead to the next page", narrow, async () => {
    await withPage(
      browser,
      onDisk("index.html"),
      async (page) => {
        assert.equal(await page.isVisible(".contents"), false);
        await page.click(".menu summary");
        await page.click(".contents >> text=Errors");
        assert.equal(await page.textContent("main h1"), "Errors");
        assert.equal(await page.textContent(".contents [aria-current]"), "Errors");
      },
      phone,
    );
  });

  const skip = lacks("scripts turned off");
  test("on paper there is text only, and it works without scripts", { skip }, async () => {
    await withPage(
      browser,
      onDisk("docs/errors.html"),
      async (page) => {
        assert.equal(await page.isVisible("#search"), false);
        await page.emulateMedia({ media: "print" });
        assert.equal(await page.isVisible(".menu"), false);
        assert.equal(await page.isVisible("header"), false);
        assert.equal(await page.isVisible("main h1"), true);
      },
      { javaScriptEnabled: false },
    );
  });
});
