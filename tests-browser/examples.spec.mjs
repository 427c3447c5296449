// The examples do what their pages say, on a host that sends no COOP and COEP; and everybody can
// use them.
import assert from "node:assert/strict";
import { cpSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { assertAccessible } from "./accessible.mjs";
import {
  chooseFolder,
  downloadOf,
  goOffline,
  lacks,
  launchBrowser,
  root,
  samplePath,
  samples,
  serve,
  withPage,
} from "./harness.mjs";

const phone = { viewport: { width: 390, height: 844 }, isMobile: true, hasTouch: true };
const names = ["", "chat", "camera", "captions", "alt-text", "convert", "offline/"];
const pathOf = (name) => `/examples-web/${/^$|\/$/.test(name) ? name : `${name}.html`}`;
const expected = {
  "sample-1.png": "A sunflower.",
  "sample-3.png": "A peach, a penguin and a violin on a yellow background.",
};

describe("examples", () => {
  let browser;
  let server;
  before(async () => {
    browser = await launchBrowser();
    server = await serve();
  });
  after(async () => {
    await browser.close();
    await server.close();
  });

  const open = (name, body, options) => withPage(browser, server.url + pathOf(name), body, options);
  const isReady = (page) =>
    page.waitForFunction(() => /is ready/.test(document.getElementById("status").textContent));
  const textIs = (page, selector, text) =>
    page.waitForFunction(
      ([where, wanted]) => {
        const element = document.querySelector(where);
        return (element?.value ?? element?.textContent) === wanted;
      },
      [selector, text],
    );

  for (const [look, options] of Object.entries({ light: {}, dark: { colorScheme: "dark" }, phone }))
    test(
      `every page is accessible, and none scrolls sideways: ${look}`,
      { skip: look === "phone" && lacks("a narrow window") },
      async () => {
        for (const name of names)
          await open(
            name,
            async (page) => {
              if (!["", "convert"].includes(name)) await isReady(page);
              await assertAccessible(page, `${pathOf(name)}, ${look}`);
              const overhang = await page.evaluate(
                () => document.documentElement.scrollWidth - document.documentElement.clientWidth,
              );
              assert.equal(overhang, 0, `${pathOf(name)} fits`);
            },
            options,
          );
      },
    );

  test("chat: a conversation remembers its image, by keyboard alone, and is told once", async () => {
    await open("chat", async (page) => {
      await isReady(page);
      await page.setInputFiles("#files", samplePath("sample-3.png"));
      await page.focus("#question");
      await page.keyboard.type("Describe the image in detail.");
      await page.keyboard.press("Enter");
      await textIs(page, "#spoken", expected["sample-3.png"]);
      await page.waitForFunction(() => document.activeElement.id === "question");
      await page.keyboard.type("How many peaches are in the picture?");
      await page.keyboard.press("Enter");
      await textIs(page, "#spoken", "One.");
      assert.match(await page.textContent("#log"), /You: How many peaches.*Tiny-VLM: One\./s);
      await page.click("#again");
      assert.equal(await page.textContent("#log"), "");
    });
  });

  test("chat: a file that is no image is explained, and the next question is answered", async () => {
    await open("chat", async (page) => {
      await isReady(page);
      await page.setInputFiles("#files", {
        name: "broken.png",
        mimeType: "image/png",
        buffer: Buffer.from("no image"),
      });
      await page.fill("#question", "What is this?");
      await page.click("#ask");
      await page.waitForFunction(() => document.getElementById("error").textContent !== "");
      await page.setInputFiles("#files", samplePath("sample-1.png"));
      await page.fill("#question", "Describe the image.");
      await page.click("#ask");
      await textIs(page, "#spoken", expected["sample-1.png"]);
      assert.equal(await page.textContent("#error"), "");
    });
  });

  test(
    "camera: frames are answered, each is closed, and memory stays as it is",
    { skip: lacks("a camera") },
    async () => {
      await open(
        "camera",
        async (page) => {
          await isReady(page);
          await page.evaluate(() => {
            window.frames = { made: 0, closed: 0 };
            const make = window.createImageBitmap;
            window.createImageBitmap = (source, ...rest) => {
              if (source instanceof HTMLVideoElement) ++window.frames.made;
              return make(source, ...rest);
            };
            const close = ImageBitmap.prototype.close;
            ImageBitmap.prototype.close = function () {
              ++window.frames.closed;
              return close.call(this);
            };
          });
          await page.click("#start");
          const after = async (count) => {
            await page.waitForFunction(
              (wanted) => parseInt(document.getElementById("numbers").textContent) >= wanted,
              count,
              { timeout: 120_000 },
            );
            return /(\d+) MB/.exec(await page.textContent("#numbers"))[1];
          };
          // The encodings of the last eight images are kept.
          const memory = await after(10);
          assert.equal(await after(20), memory);
          await page.click("#stop");
          await page.waitForSelector("#start:focus");
          const { made, closed } = await page.evaluate(() => window.frames);
          assert.equal(closed, made);
          assert.ok(made >= 20);
          assert.equal(await page.evaluate(() => document.getElementById("video").srcObject), null);
          assert.equal(await page.textContent("#error"), "");
        },
        { permissions: ["camera"] },
      );
    },
  );

  test("captions: a folder becomes a CSV file; a damaged image does not end it", async () => {
    const folder = mkdtempSync(join(tmpdir(), "tiny-vlm-captions-"));
    try {
      for (const name of ["sample-1.png", "sample-3.png"])
        cpSync(samplePath(name), join(folder, name));
      cpSync(join(root, "README.md"), join(folder, "notes.md"));
      cpSync(join(root, "README.md"), join(folder, "=damaged.png"));
      await open("captions", async (page) => {
        await isReady(page);
        await chooseFolder(page, "#folder", folder);
        await textIs(page, "#status", "3 images, 4 files.");
        await page.click("#run");
        await textIs(page, "#status", "3 of 3 images have a caption.");
        const lines = (await downloadOf(page, "#save")).trimEnd().split("\r\n");
        assert.equal(lines[0], "file,caption");
        assert.equal(lines.length, 4);
        const captionOf = (name) => lines.find((line) => line.includes(name))?.split('","')[1];
        assert.equal(captionOf("sample-3.png"), `${expected["sample-3.png"]}"`);
        assert.match(captionOf("sample-1.png"), /sunflower/);
        assert.match(captionOf("damaged.png"), /^\(invalid_image: /);
      });
    } finally {
      rmSync(folder, { recursive: true });
    }
  });

  test(
    "captions: a directory that the user picks is read, with what is below it",
    { skip: lacks("a directory picker") },
    async () => {
      await open("captions", async (page) => {
        await isReady(page);
        await page.evaluate(async () => {
          const top = await navigator.storage.getDirectory();
          const picked = await top.getDirectoryHandle("picked", { create: true });
          const below = await picked.getDirectoryHandle("below", { create: true });
          const image = await (await fetch("samples/sample-3.png")).blob();
          const file = await below.getFileHandle("b.png", { create: true });
          const writable = await file.createWritable();
          await writable.write(image);
          await writable.close();
          window.showDirectoryPicker = async () => picked;
        });
        await page.click("#pick");
        await textIs(page, "#status", "1 images, 1 files.");
        await page.click("#run");
        await textIs(page, "#status", "1 of 1 images have a caption.");
        assert.match(await page.textContent("#rows"), /^b\.pngA peach, a penguin and a violin/);
      });
    },
  );

  test("alt text: a suggestion fills the field, can be taken back, and reaches the page", async () => {
    await open("alt-text", async (page) => {
      await isReady(page);
      await page.setInputFiles("#file", samplePath("sample-1.png"));
      await textIs(page, "#alt", expected["sample-1.png"]);
      await textIs(page, "#count", String(expected["sample-1.png"].length));
      await page.click("#undo");
      assert.equal(await page.inputValue("#alt"), "");
      await page.fill("#alt", 'A "tall" flower');
      await page.click("text=Insert the image");
      assert.equal(
        await page.textContent("#markup"),
        '<img src="sample-1.png" alt="A &quot;tall&quot; flower">',
      );
      await page.check("#decorative");
      await page.click("text=Insert the image");
      assert.equal(await page.textContent("#markup"), '<img src="sample-1.png" alt="">');
    });
  });

  test("convert: a folder of a checkpoint becomes a model that stays, and can be deleted", async () => {
    await open("convert", async (page) => {
      await page.waitForSelector("#none");
      await page.click("#convert");
      await textIs(page, "#error", "Choose a folder first.");
      await chooseFolder(page, "#folder", join(root, "tests-native", "goldens", "t0-hf"));
      await page.click("#convert");
      await page.waitForFunction(() =>
        /^Converted: .*no tokenizer/.test(document.getElementById("status").textContent),
      );
      assert.equal(await page.textContent("#error"), "");
      await page.click("#kept button"); // which is there when the list is
      await page.waitForSelector("#none");
    });
  });

  test("offline: once visited, it starts and answers without the server", async () => {
    const host = await serve();
    let isUp = true;
    try {
      await withPage(browser, `${host.url}/examples-web/offline/`, async (page) => {
        await page.waitForSelector("#ask:enabled");
        await host.close();
        isUp = false;
        await goOffline(page);
        await page.reload();
        await page.waitForSelector("#ask:enabled");
        if (!lacks("a network that ends"))
          assert.match(await page.textContent("#status"), /There is no network/);
        await page.setInputFiles("#file", samplePath("sample-1.png"));
        await page.click("#ask");
        await textIs(page, "#answer", expected["sample-1.png"]);
        const manifest = await page.evaluate(() =>
          fetch("manifest.json").then((answer) => answer.json()),
        );
        assert.equal(manifest.display, "standalone");
      });
    } finally {
      if (isUp) await host.close();
    }
  });

  test("an example asks the model that its address names, and says why one cannot be had", async () => {
    const url = `${server.url}/examples-web/chat.html?model=/nothing.gguf`;
    const context = await browser.newContext();
    const page = await context.newPage();
    await page.goto(url);
    await page.waitForFunction(() =>
      /could not/.test(document.getElementById("status").textContent),
    );
    assert.match(await page.textContent("#status"), /could not be loaded: .*404/);
    await context.close();
  });

  test("the samples' expected answers are those of the samples", () => {
    for (const { image, questions } of samples)
      if (expected[image]) assert.ok(questions.some(({ answer }) => answer === expected[image]));
  });

  test("each example is a page of at most 150 lines", () => {
    for (const name of names.filter(Boolean)) {
      const path = join(root, pathOf(name), name.endsWith("/") ? "index.html" : "");
      const lines = readFileSync(path, "utf8").split("\n").length;
      assert.ok(lines <= 150, `${path}: ${lines} lines`);
    }
  });
});
