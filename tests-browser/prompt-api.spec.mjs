// "My page uses the browser's Prompt API; where the browser has none, it shall have this one."
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { launchBrowser, samples, serve, withPage } from "./harness.mjs";

let browser;
let server;
before(async () => {
  browser = await launchBrowser();
  server = await serve({
    routes: {
      "/page.html": (_, response) =>
        response.writeHead(200, { "Content-Type": "text/html" }).end(`<!doctype html>
          <script type="importmap">{ "imports": { "tiny-vlm": "/dist/index.mjs" } }</script>`),
    },
  });
});
after(async () => {
  await browser.close();
  await server.close();
});

test("a page that knows nothing but LanguageModel asks about a canvas, a file and a bitmap", () =>
  withPage(browser, `${server.url}/page.html`, async (page) => {
    const [{ image, questions }] = samples;
    const [{ question, answer }] = questions;
    const told = await page.evaluate(
      async ([path, asked]) => {
        // Where the browser has one, it has no model.
        const { installPromptApi } = await import("/dist/adapters/prompt-api.mjs");
        const installed = await installPromptApi({ threads: 1, cache: false });
        const file = await (await fetch(path)).blob();
        const bitmap = await createImageBitmap(file);
        const canvas = new OffscreenCanvas(bitmap.width, bitmap.height);
        canvas.getContext("2d").drawImage(bitmap, 0, 0);

        const { LanguageModel } = globalThis;
        const expectedInputs = [{ type: "image" }];
        const shares = [];
        const session = await LanguageModel.create({
          expectedInputs,
          monitor: (target) =>
            target.addEventListener("downloadprogress", ({ loaded }) => shares.push(loaded)),
        });
        const about = (value) => [
          {
            role: "user",
            content: [
              { type: "text", value: asked },
              { type: "image", value },
            ],
          },
        ];
        const clones = await Promise.all([session.clone(), session.clone(), session.clone()]);
        const answers = [await clones[0].prompt(about(file))];
        let streamed = "";
        for await (const piece of clones[1].promptStreaming(about(canvas))) streamed += piece;
        answers.push(streamed);
        const appended = clones[2].append(about(bitmap));
        bitmap.close();
        await appended;
        answers.push(await clones[2].prompt([]).catch(({ name }) => name));
        const usage = [clones[0].contextUsage, session.contextUsage, session.contextWindow];
        for (const one of [session, ...clones]) one.destroy();
        const availability = await LanguageModel.availability({ expectedInputs });
        return { installed, answers, shares, usage, availability };
      },
      [`/examples-web/samples/${image}`, question],
    );
    assert.equal(told.installed, true);
    assert.deepEqual(told.answers.slice(0, 2), [answer, answer]);
    assert.deepEqual([told.shares[0], told.shares.at(-1)], [0, 1]);
    assert(told.usage[0] > 0 && told.usage[1] === 0 && told.usage[2] === 2048, told.usage.join());
    assert.equal(told.availability, "downloadable");
    // Its prompt of no messages asks what was appended.
    assert.equal(told.answers[2], answer);
  }));
