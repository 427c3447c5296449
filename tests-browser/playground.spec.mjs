// The playground as people meet it: by finger, by keyboard, with their own images and models, when
// things go wrong, on a phone.
import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import {
  demoModelPath,
  engine,
  lacks,
  launchBrowser,
  root,
  samplePath,
  serve,
  withPlayground,
} from "./harness.mjs";

const lastAnswer = (page) => page.locator(".answer").last();
const waitForAnswers = (page, count) =>
  page.waitForFunction((wanted) => document.querySelectorAll(".timings").length >= wanted, count);

describe("playground", () => {
  let browser;
  let server;
  before(async () => {
    browser = await launchBrowser();
    const model = readFileSync(demoModelPath);
    server = await serve({
      isolated: true,
      routes: {
        "/truncated.gguf": (request, response) =>
          response.writeHead(200, { "Content-Length": 100_000 }).end(model.subarray(0, 100_000)),
        // Arrives over a few seconds, as from a real network.
        "/slow.gguf": (request, response) => {
          response.writeHead(200, { "Content-Length": model.length });
          const step = Math.ceil(model.length / 20);
          let sent = 0;
          const timer = setInterval(() => {
            response.write(model.subarray(sent, sent + step));
            sent += step;
            if (sent >= model.length) {
              clearInterval(timer);
              response.end();
            }
          }, 120);
          response.on("close", () => clearInterval(timer));
        },
      },
    });
  });
  after(async () => {
    await browser.close();
    await server.close();
  });

  const useModelAt = async (page, url) => {
    await page.click("#model-button");
    await page.click("text=A model on the web");
    await page.fill("#model-url", url);
    await page.click("text=Use this model");
  };

  test("a suggested question is answered with one tap, with timings and the variant", async () => {
    await withPlayground(browser, server, async (page) => {
      await page.click("text=Describe the image in detail.");
      await waitForAnswers(page, 1);
      assert.equal(
        await lastAnswer(page).textContent(),
        "A peach, a penguin and a violin on a yellow background.",
      );
      assert.match(
        await page.textContent(".timings"),
        /first word after \d+.* tokens\/s · [\w-]+, \d+ threads/,
      );
      const { isolated } = engine.variants;
      assert.ok((await page.textContent(".timings")).includes(`· ${isolated}, `));
      assert.match(await page.textContent("#model-detail"), /ready · \d+\.\d MB/);
      await page.click("text=How many peaches are in the picture?");
      await waitForAnswers(page, 2);
      assert.equal(await lastAnswer(page).textContent(), "One.");
      assert.match(await page.locator(".timings").last().textContent(), /image remembered/);
    });
  });

  test("each image keeps its own conversation", async () => {
    await withPlayground(browser, server, async (page) => {
      await page.click("text=Describe the image in detail.");
      await waitForAnswers(page, 1);
      await page.locator(".sample").nth(1).click();
      assert.equal(await page.locator(".exchange").count(), 0);
      await page.locator(".sample").nth(0).click();
      assert.equal(await page.locator(".exchange").count(), 1);
    });
  });

  test("the keyboard alone asks and stops; every stop of Tab is visible", async () => {
    await withPlayground(browser, server, async (page) => {
      // what it shows while loading may make the log scroll: one more stop
      await page.waitForFunction(() =>
        document.getElementById("model-detail").textContent.startsWith("ready"),
      );
      const reached = [];
      for (let i = 0; i < 24; i++) {
        await page.keyboard.press("Tab");
        const { name, outline } = await page.evaluate(() => {
          // Firefox goes on in its own bars.
          const element = document.hasFocus() ? document.activeElement : document.body;
          const box = element.id === "question" ? element.form : element;
          const style = getComputedStyle(box);
          return {
            name: element.id || element.className || element.tagName,
            outline: element.id === "question" ? style.borderTopColor : style.outlineStyle,
          };
        });
        if (name === "BODY") continue; // past the last element
        assert.notEqual(outline, "none", `${name} shows that it has the focus`);
        reached.push(name);
      }
      const order = [
        "skip",
        "model-button",
        "choose",
        "camera",
        "sample",
        "chip",
        "question",
        "ask",
      ].map((name) => reached.indexOf(name));
      assert.ok(
        order.every(
          (position, index) => position >= 0 && (index === 0 || position > order[index - 1]),
        ),
        `order of Tab: ${reached.join(", ")}`,
      );

      await page.focus("#question");
      await page.keyboard.type("Describe the image in detail.");
      await page.keyboard.press("Enter");
      await waitForAnswers(page, 1);
      assert.equal(await page.inputValue("#question"), "");
      assert.equal(await page.evaluate(() => document.activeElement.id), "question");

      await useModelAt(page, "/slow.gguf");
      await page.focus("#question");
      await page.keyboard.type("Is there any plant?");
      await page.keyboard.press("Enter");
      await page.waitForSelector("#stop:visible");
      await page.keyboard.press("Escape");
      await page.waitForSelector("#ask:visible");
      assert.match(await lastAnswer(page).textContent(), /Stopped/i);
    });
  });

  test("a screen reader announces the work on the image, and the whole answer once", async () => {
    await withPlayground(browser, server, async (page) => {
      await page.evaluate(() => {
        window.announced = [];
        new MutationObserver(() =>
          window.announced.push(document.getElementById("announcer").textContent),
        ).observe(document.getElementById("announcer"), { childList: true });
      });
      await page.waitForFunction(() =>
        document.getElementById("model-detail").textContent.startsWith("ready"),
      );
      await page.click(".chip");
      await waitForAnswers(page, 1);
      const announced = await page.evaluate(() => window.announced);
      assert.ok(announced.includes("Looking at the image."), announced.join(" | "));
      assert.equal(announced.at(-1), "A peach, a penguin and a violin on a yellow background.");
    });
  });

  test("an image can be chosen, dropped and pasted", async () => {
    await withPlayground(browser, server, async (page) => {
      await page.setInputFiles("#file", samplePath("sample-6.png"));
      assert.equal(await page.textContent("#image-caption"), "sample-6.png");
      await page.click("text=Describe the image.");
      await waitForAnswers(page, 1);
      assert.equal(await lastAnswer(page).textContent(), "A fire engine, a snowman and a balloon.");
      assert.match(await page.textContent("#note"), /about 180 things/);

      const bring = (how, name) =>
        page.evaluate(
          async ({ how, name }) => {
            const blob = await (await fetch(`/examples-web/samples/${name}`)).blob();
            const data = new DataTransfer();
            data.items.add(new File([blob], name, { type: blob.type }));
            const [Kind, key] =
              how === "paste" ? [ClipboardEvent, "clipboardData"] : [DragEvent, "dataTransfer"];
            const event = new Kind(how, { bubbles: true, cancelable: true });
            // Not every browser's constructor takes it.
            Object.defineProperty(event, key, { value: data });
            document.body.dispatchEvent(event);
          },
          { how, name },
        );
      await bring("drop", "sample-1.png");
      await page.click("text=Describe the image.");
      await waitForAnswers(page, 1);
      assert.equal(await lastAnswer(page).textContent(), "A sunflower.");
      await bring("paste", "sample-2.png");
      await page.click("text=Describe the image.");
      await waitForAnswers(page, 1);
      assert.equal(await lastAnswer(page).textContent(), "A pencil and a ring.");
    });
  });

  const camera = { skip: lacks("a camera") };
  test("the camera takes an image, and is off again afterwards", camera, async () => {
    await withPlayground(
      browser,
      server,
      async (page) => {
        await page.click("#camera");
        await page.waitForSelector("#camera-take:enabled");
        await page.click("#camera-take");
        await page.waitForFunction(
          () => document.getElementById("image-caption").textContent === "from the camera",
        );
        assert.equal(
          await page.evaluate(() => document.getElementById("viewfinder").srcObject),
          null,
        );
        await page.click("text=Describe the image.");
        await waitForAnswers(page, 1);
      },
      { permissions: ["camera"] },
    );
  });

  test("a broken image is explained in plain words, and the next one is answered", async () => {
    await withPlayground(browser, server, async (page) => {
      await page.setInputFiles("#file", {
        name: "broken.png",
        mimeType: "image/png",
        buffer: readFileSync(samplePath("sample-1.png")).subarray(0, 2000),
      });
      await page.click("text=Describe the image.");
      await page.waitForSelector(".trouble");
      assert.match(
        await page.textContent(".trouble"),
        /That image cannot be opened\..*PNG, JPEG and WebP/s,
      );
      assert.doesNotMatch(await page.textContent(".trouble"), /\bat \S+:\d+:\d+|\.mjs:\d/);
      await page.locator(".sample").nth(1).click();
      await page.click("text=How many objects do you see?");
      await waitForAnswers(page, 1);
      assert.equal(await lastAnswer(page).textContent(), "Two.");
    });
  });

  test("a missing or truncated model is explained; the demo model is a tap away", async () => {
    await withPlayground(browser, server, async (page) => {
      for (const [url, words] of [
        ["/nowhere.gguf", /did not hand out the model/],
        ["/truncated.gguf", /not a whole, sound model file/],
      ]) {
        await useModelAt(page, url);
        await page.waitForSelector("#alert:visible");
        assert.match(await page.textContent("#alert"), words);
      }
      await page.click("text=Use the demo model");
      await page.waitForFunction(() =>
        document.getElementById("model-detail").textContent.startsWith("ready"),
      );
      assert.ok(await page.isHidden("#alert"));
      await page.click(".chip");
      await waitForAnswers(page, 1);
    });
  });

  /** Drags a file or a folder of this machine on to the page and lets go. */
  const dropFromDisk = async (page, path) => {
    const session = await page.context().newCDPSession(page);
    const data = { items: [], files: [path], dragOperationsMask: 1 };
    for (const type of ["dragEnter", "dragOver", "drop"])
      await session.send("Input.dispatchDragEvent", { type, x: 200, y: 300, data });
    await session.detach();
  };
  const dropped = { skip: lacks("drops from the disk") };
  const detail = (page, pattern) =>
    page.waitForFunction(
      ([source]) => new RegExp(source).test(document.getElementById("model-detail").textContent),
      [pattern.source],
    );

  test(
    "a checkpoint's folder is dropped: it is converted, with progress, and kept",
    dropped,
    async () => {
      const checkpoint = join(root, "tests-native", "goldens", "t0-llava");
      await withPlayground(browser, server, async (page) => {
        await detail(page, /^ready/);
        await page.evaluate(() => {
          window.seen = new Set();
          const element = document.getElementById("model-detail");
          new MutationObserver(() => window.seen.add(element.textContent)).observe(element, {
            childList: true,
          });
        });
        await dropFromDisk(page, checkpoint);
        await page.waitForFunction(
          () => document.getElementById("model-name").textContent === "t0-llava",
        );
        await detail(page, /^ready/);
        const seen = await page.evaluate(() => [...window.seen]);
        assert.ok(seen.includes("reading the checkpoint"), String(seen));
        assert.ok(
          seen.some((text) => /^converting · \d+ (%|s left|min left)$|^converted/.test(text)),
          String(seen),
        );
        // This one cannot be asked, and the page says so.
        assert.match(await page.textContent("#alert"), /no tokenizer/);
        assert.ok(await page.isHidden("#drop"));
      });
    },
  );

  test("where folders are not handed out, the older way reads them", dropped, async () => {
    await withPlayground(browser, server, async (page) => {
      await detail(page, /^ready/);
      await page.evaluate(() => delete DataTransferItem.prototype.getAsFileSystemHandle);
      await dropFromDisk(page, join(root, "tests-native", "goldens", "t0-llava"));
      await page.waitForFunction(
        () => document.getElementById("model-name").textContent === "t0-llava",
      );
      await detail(page, /^ready/);
    });
  });

  test(
    "a folder without a checkpoint is explained, and the demo model is a tap away",
    dropped,
    async () => {
      const folder = mkdtempSync(join(tmpdir(), "tiny-vlm-empty-"));
      try {
        await withPlayground(browser, server, async (page) => {
          await detail(page, /^ready/);
          await dropFromDisk(page, folder);
          await page.waitForSelector("#alert:visible");
          assert.match(await page.textContent("#alert"), /no checkpoint in that folder/);
          await page.click("text=Use the demo model");
          await detail(page, /^ready/);
          await page.click(".chip");
          await waitForAnswers(page, 1);
        });
      } finally {
        rmSync(folder, { recursive: true });
      }
    },
  );

  test("progress and time left are shown; a question asked meanwhile is answered", async () => {
    await withPlayground(browser, server, async (page) => {
      await useModelAt(page, "/slow.gguf");
      await page.waitForFunction(() =>
        /^\d.* of \d.* MB · \d+ s left$/.test(document.getElementById("model-detail").textContent),
      );
      await page.click("text=How many peaches are in the picture?");
      await page.waitForSelector("text=the model is still on its way");
      await waitForAnswers(page, 1);
      assert.equal(await lastAnswer(page).textContent(), "One.");
      assert.equal(await page.textContent("#model-name"), "slow.gguf");
    });
  });

  test("a model file of one's own is loaded from the disk", async () => {
    await withPlayground(browser, server, async (page) => {
      await page.click("#model-button");
      await page.click("text=A model file of mine");
      await page.click("text=Use this model");
      assert.match(await page.textContent("#model-form-error"), /Choose a file first/);
      await page.setInputFiles("#model-file", demoModelPath);
      await page.click("text=Use this model");
      await page.fill("#question", "How many peaches are in the picture?");
      await page.keyboard.press("Enter");
      await waitForAnswers(page, 1);
      assert.equal(await lastAnswer(page).textContent(), "One.");
      assert.equal(await page.textContent("#model-name"), "tiny-vlm-demo.gguf");
      assert.ok(
        await page.isVisible("text=Read the text in the picture."),
        "suggestions suit a larger model",
      );
    });
  });

  for (const [width, height] of [
    [390, 844],
    [320, 568],
    [844, 390],
  ]) {
    const skip = width < 450 && lacks("a narrow window");
    test(
      `a phone of ${width}×${height} does not scroll sideways; targets are 42 px`,
      { skip },
      async () => {
        await withPlayground(
          browser,
          server,
          async (page) => {
            await page.tap(".chip");
            await waitForAnswers(page, 1);
            const { overflow, small } = await page.evaluate(() => ({
              overflow: document.documentElement.scrollWidth - document.documentElement.clientWidth,
              small: [...document.querySelectorAll("button, input")]
                .filter(
                  (element) =>
                    element.offsetParent !== null &&
                    element.offsetHeight < 42 &&
                    !element.closest(".samples"),
                )
                .map((element) => element.id || element.className),
            }));
            assert.equal(overflow, 0);
            assert.deepEqual(small, []);
            const form = await page.locator("#form").boundingBox();
            const answer = await lastAnswer(page).boundingBox();
            assert.ok(form.y + form.height <= height + 1, "the question box stays in sight");
            assert.ok(
              answer.y >= 0 && answer.y + answer.height <= form.y,
              "the answer is in sight above it",
            );
          },
          { viewport: { width, height }, isMobile: true, hasTouch: true },
        );
      },
    );
  }

  test("with reduced motion nothing moves, without it something does", async () => {
    const animations = (reducedMotion) =>
      withPlayground(
        browser,
        server,
        async (page) => {
          await useModelAt(page, "/slow.gguf");
          await page.click(".chip");
          return page.evaluate(() => document.getAnimations().length);
        },
        { reducedMotion },
      );
    assert.equal(await animations("reduce"), 0);
    assert.ok((await animations("no-preference")) > 0);
  });
});
