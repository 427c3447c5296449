// Writes docs/screenshots/*.png: the playground after answers, on a desktop and on a phone, light
// and dark.
//   node tests-browser/screenshots.mjs
//   node tests-browser/screenshots.mjs --review    the examples and the documentation (npm run docs
//                                                  first), in each look, into build/screenshots
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { launchChromium, root, samplePath, serve, withPage, withPlayground } from "./harness.mjs";

const folder = join(root, "docs", "screenshots");
const desktop = { viewport: { width: 1280, height: 800 } };
const phone = {
  viewport: { width: 390, height: 844 },
  isMobile: true,
  hasTouch: true,
  deviceScaleFactor: 2,
};
const shots = [
  { name: "desktop", options: desktop, sample: 0, questions: 2 },
  { name: "desktop-dark", options: { ...desktop, colorScheme: "dark" }, sample: 1, questions: 3 },
  { name: "phone", options: phone, sample: 0, questions: 1 },
];

const isReady = (page) =>
  page.waitForFunction(() => /is ready/.test(document.getElementById("status").textContent));
const says = (page, id) =>
  page.waitForFunction((where) => /\.$/.test(document.getElementById(where).textContent), id);

// What to look at: paths, and what is done there first.
const review = {
  "examples-web/": undefined,
  "examples-web/chat.html": async (page) => {
    await isReady(page);
    await page.setInputFiles("#files", samplePath("sample-3.png"));
    await page.fill("#question", "Describe the image in detail.");
    await page.click("#ask");
    await says(page, "spoken");
  },
  "examples-web/camera.html": async (page) => {
    await isReady(page);
    await page.click("#start");
    await page.waitForFunction(() => document.getElementById("numbers").textContent !== "");
  },
  "examples-web/captions.html": async (page) => {
    await isReady(page);
    await page.setInputFiles("#folder", join(root, "examples-web", "samples"));
    await page.click("#run");
    await page.waitForSelector("#save:enabled");
  },
  "examples-web/alt-text.html": async (page) => {
    await isReady(page);
    await page.setInputFiles("#file", samplePath("sample-1.png"));
    await page.waitForSelector("#undo:enabled");
  },
  "examples-web/convert.html": async (page) => {
    await page.setInputFiles("#folder", join(root, "tests-native", "goldens", "t0-hf"));
    await page.click("#convert");
    await page.waitForSelector("#kept button");
  },
  "examples-web/offline/": async (page) => {
    await isReady(page);
    await page.setInputFiles("#file", samplePath("sample-5.png"));
    await page.click("#ask");
    await says(page, "answer");
  },
  "site/": undefined,
  "site/docs/sdk.html": undefined,
  "site/docs/reference-typescript.html": async (page) => {
    await page.fill("#search", "memory");
    await page.waitForSelector("#results li");
  },
};

async function takeReview(browser) {
  const into = join(root, "build", "screenshots");
  mkdirSync(into, { recursive: true });
  const server = await serve({ extraMounts: { "/site/": join(root, "build", "site") } });
  const looks = { desktop, phone, dark: { ...desktop, colorScheme: "dark" } };
  try {
    for (const [path, prepare] of Object.entries(review))
      for (const [look, options] of Object.entries(looks))
        await withPage(
          browser,
          `${server.url}/${path}`,
          async (page) => {
            await prepare?.(page);
            const name = path.replaceAll(/\W+/g, "-").replace(/-$|-html$/, "");
            await page.screenshot({ path: join(into, `${name}-${look}.png`) });
          },
          options,
        );
  } finally {
    await server.close();
  }
  console.log("build/screenshots");
}

async function takePlayground(browser) {
  mkdirSync(folder, { recursive: true });
  const server = await serve({ isolated: true });
  try {
    for (const { name, options, sample, questions } of shots) {
      await withPlayground(
        browser,
        server,
        async (page) => {
          await page.waitForFunction(() =>
            document.getElementById("model-detail").textContent.startsWith("ready"),
          );
          await page.locator(".sample").nth(sample).click();
          for (let count = 1; count <= questions; count++) {
            await page.locator(".chip").first().click();
            await page.waitForFunction(
              (wanted) => document.querySelectorAll(".timings").length === wanted,
              count,
            );
          }
          await page.mouse.move(0, 0);
          await page.screenshot({ path: join(folder, `${name}.png`) });
        },
        options,
      );
      console.log(`docs/screenshots/${name}.png`);
    }
  } finally {
    await server.close();
  }
}

const browser = await launchChromium();
try {
  if (process.argv[2] === "--review") await takeReview(browser);
  else await takePlayground(browser);
} finally {
  await browser.close();
}
