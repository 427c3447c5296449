// Writes docs/screenshots/*.png: the playground after answers, on a desktop and on a phone, light
// and dark.
//   node tests-browser/screenshots.mjs
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { launchChromium, root, serve, withPlayground } from "./harness.mjs";

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

mkdirSync(folder, { recursive: true });
const browser = await launchChromium();
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
  await browser.close();
  await server.close();
}
