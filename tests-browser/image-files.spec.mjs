// "My image file is not perfect, or of an unusual kind": page and Node agree about every one of
// them.
import assert from "node:assert/strict";
import { readFileSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { TinyVLM } from "../dist/node.mjs";
import { launchBrowser, root, samplePath, serve, sharedPath, withSdk } from "./harness.mjs";

// One build, so that answers can be compared to the letter.
const build = { variant: "simd", threads: 1 };
const question = "Describe the image.";

const svg =
  '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 100 100">' +
  '<title>Sonnenblumenö 🌻</title><circle cx="50" cy="50" r="40" fill="red"/></svg>';

// Formats that Node decodes only with the package sharp.
const otherFormats = ["webp.webp", "gif.gif", "bmp.bmp", "tiff.tif", "avif.avif", "svg.svg"];

// The worker's script after these statements.
const worker = (statements) => (_, response) =>
  response
    .writeHead(200, { "Content-Type": "text/javascript" })
    .end(statements + readFileSync(join(root, "dist", "worker.mjs"), "utf8"));

// A canvas that answers as under privacy.resistFingerprinting.
const falsified = `
  const read = OffscreenCanvasRenderingContext2D.prototype.getImageData;
  OffscreenCanvasRenderingContext2D.prototype.getImageData = function (...area) {
    const image = read.apply(this, area);
    for (let i = 0; i < image.data.length; i += 97) image.data[i] ^= 1;
    return image;
  };`;

describe("image files as people have them", () => {
  let browser;
  let server;
  let vlm;
  const inputs = sharedPath("data/inputs");
  before(async () => {
    browser = await launchBrowser();
    server = await serve({
      routes: {
        "/drawing": (_, response) =>
          response.writeHead(200, { "Content-Type": "image/svg+xml" }).end(svg),
        // Never answers.
        "/silence.png": () => {},
        "/falsified/worker.mjs": worker(falsified),
        "/no-canvas/worker.mjs": worker("delete globalThis.OffscreenCanvas;"),
      },
      ...(inputs ? { extraMounts: { "/inputs/": inputs } } : {}),
    });
    vlm = await TinyVLM.load(undefined, build);
  });
  after(async () => {
    await vlm.dispose();
    await browser.close();
    await server.close();
  });

  const outcome = ({ text, warnings }) => ({ text, warnings });
  const inNode = async (image, options) => {
    try {
      return outcome(await vlm.ask(image, question, options));
    } catch (error) {
      return { code: error.code, message: error.message };
    }
  };
  /** What a page makes of each image; `images`: the text of a function that gives them by name. */
  const inPage = (images, options) =>
    withSdk(browser, server, async (page) => {
      await page.addScriptTag({ content: `window.makeImages = ${images}` });
      return page.evaluate(
        async ([options, build, question]) => {
          const vlm = await TinyVLM.load(undefined, build);
          const outcomes = {};
          for (const [name, image] of Object.entries(await makeImages())) {
            const { value, code, message } = await settle(ask(vlm, image, question, options));
            outcomes[name] = value
              ? { text: value.text, warnings: value.warnings }
              : { code, message };
          }
          await vlm.dispose();
          return outcomes;
        },
        [options, build, question],
      );
    });

  const skip = inputs ? false : "the shared test data is not there";

  test(
    "PNG and JPEG files with defects are answered alike, or refused alike",
    { skip },
    async () => {
      const names = readdirSync(inputs).filter(
        (name) => /\.(jpg|png)$/.test(name) && !name.includes("expected"),
      );
      assert.equal(names.length, 15);
      const images = `() => (${JSON.stringify(Object.fromEntries(names.map((n) => [n, `/inputs/${n}`])))})`;
      for (const options of [{}, { strict: true }]) {
        const found = await inPage(images, options);
        for (const name of names) {
          const expected = await inNode(join(inputs, name), options);
          assert.deepEqual(found[name], expected, `${name} ${JSON.stringify(options)}`);
        }
        const answered = names.filter((name) => found[name].text !== undefined);
        assert.equal(answered.length, options.strict ? 7 : 14, answered.join());
        const warned = names.filter((name) => found[name].warnings?.length > 0);
        assert.equal(warned.length, options.strict ? 0 : 9, warned.join());
      }
    },
  );

  test(
    "what a browser shows of other formats is answered; Node names what it lacks",
    {
      skip,
    },
    async () => {
      const images = `() => (${JSON.stringify(Object.fromEntries(otherFormats.map((n) => [n, `/inputs/${n}`])))})`;
      const found = await inPage(images, {});
      for (const name of otherFormats) {
        const format = { "tiff.tif": "TIFF", "svg.svg": "SVG" }[name];
        if (name === "tiff.tif") {
          assert.equal(found[name].code, "invalid_image");
          assert.match(found[name].message, /this browser does not decode this TIFF: /);
        } else {
          assert.deepEqual(found[name].warnings, [], `${name}: ${found[name].message}`);
          assert.notEqual(found[name].text, "");
        }
        const { code, message } = await inNode(join(inputs, name));
        assert.equal(code, "invalid_image");
        assert.match(message, new RegExp(format ?? name.split(".")[0], "i"));
        assert.match(message, /sharp/);
      }
    },
  );

  test("a HEIC image that the browser does not show is named, with what to do", async () => {
    const { heic } = await inPage(
      `() => ({ heic: new File(["\\0\\0\\0\\x18ftypheic\\0\\0\\0\\0"], "IMG_1.jpg", { type: "image/jpeg" }) })`,
    );
    assert.equal(heic.code, "invalid_image");
    assert.match(heic.message, /this HEIC: .*export it as JPEG.*accept="image\/jpeg"/);
  });

  test("an SVG image is drawn, whatever it is given as", async () => {
    const images = `async () => {
      const text = ${JSON.stringify(svg)};
      const element = (source) => Object.assign(new Image(), { src: source });
      const ready = element("/drawing");
      await new Promise((resolve) => (ready.onload = resolve));
      return {
        "a File": new File([text], "drawing.svg", { type: "image/svg+xml" }),
        "a Blob without a type": new Blob([text]),
        "an address": "/drawing",
        "bytes": new TextEncoder().encode(text),
        "a data: URL in UTF-8": "data:image/svg+xml;utf8," + text,
        "an escaped data: URL": "data:image/svg+xml," + encodeURIComponent(text),
        "an <img> that is still loading": element("/drawing"),
        "an <img>": ready,
        "with a size of its own": new Blob([text.replace("viewBox", 'width="4cm" height="4cm" viewBox')]),
      };
    }`;
    // The same circle, drawn by hand.
    const canvas = `async () => {
      const canvas = Object.assign(document.createElement("canvas"), { width: 256, height: 256 });
      const context = canvas.getContext("2d");
      context.fillStyle = "red";
      context.arc(128, 128, 102.4, 0, 7);
      context.fill();
      return { canvas };
    }`;
    const expected = (await inPage(canvas)).canvas;
    const { canvas: blank } = await inPage(canvas.replace("context.fill()", ""));
    assert.notEqual(blank.text, expected.text);
    for (const [name, found] of Object.entries(await inPage(images)))
      assert.deepEqual(found, expected, name);
    const broken = await inPage(`() => ({ svg: new Blob(["<svg xmlns='x'><"]) })`);
    assert.equal(broken.svg.code, "invalid_image");
    assert.match(broken.svg.message, /SVG/);
    const { code, message } = await inNode(Buffer.from(svg));
    assert.equal(code, "invalid_image");
    assert.match(message, /this is an SVG image, .* make a PNG of it first/);
  });

  test("an <img> that has not loaded is answered from its address", async () => {
    const expected = await inNode(samplePath("sample-1.png"));
    const images = `() => {
      const source = "/examples-web/samples/sample-1.png";
      const lazy = Object.assign(new Image(), { loading: "lazy", src: source });
      const below = Object.assign(new Image(), { loading: "lazy", src: source });
      below.style.marginTop = "100000px";
      document.body.append(below);
      const many = Object.assign(new Image(), { loading: "lazy", srcset: source + " 2x", src: source });
      const frame = document.body.appendChild(document.createElement("iframe"));
      const foreign = frame.contentDocument.createElement("img");
      foreign.src = new URL(source, location.href).href;
      return { lazy, below, many, foreign, changed: Object.assign(new Image(), { src: source }) };
    }`;
    for (const [name, found] of Object.entries(await inPage(images)))
      assert.deepEqual(found, expected, name);
    const none = await inPage(`() => ({ empty: new Image() })`);
    assert.equal(none.empty.code, "invalid_image");
    assert.match(none.empty.message, /there is no image to read in this HTMLImageElement/);
  });

  test("an image that never arrives keeps neither later questions nor dispose waiting", async () => {
    const outcomes = await withSdk(browser, server, (page) =>
      page.evaluate(async (build) => {
        const vlm = await TinyVLM.load(undefined, build);
        const silent = vlm.ask("/silence.png", "first");
        const pending = settle(silent.then());
        const element = Object.assign(new Image(), { src: "/silence.png" });
        const cancelled = vlm.ask(element, "second");
        cancelled.cancel();
        const { finishReason } = await cancelled;
        silent.cancel();
        const first = (await pending).value.finishReason;
        const after = (await vlm.ask(null, "Hello?", { maxTokens: 2 })).finishReason;
        const last = settle(vlm.ask("/silence.png", "third").then());
        await vlm.dispose();
        return { finishReason, first, after, last: (await last).code };
      }, build),
    );
    assert.deepEqual(outcomes, {
      finishReason: "cancelled",
      first: "cancelled",
      after: "length",
      last: "aborted",
    });
  });

  test("pixels of another origin are refused with the remedy", async () => {
    const other = await serve({
      routes: {
        "/picture.png": (_, response) =>
          response
            .writeHead(200, { "Content-Type": "image/png" })
            .end(readFileSync(join(root, "examples-web/samples/sample-1.png"))),
      },
    });
    const address = `${other.url.replace("127.0.0.1", "localhost")}/picture.png`;
    const images = `async () => {
      const image = Object.assign(new Image(), { src: ${JSON.stringify(address)} });
      await image.decode();
      const canvas = Object.assign(document.createElement("canvas"), { width: 64, height: 64 });
      canvas.getContext("2d").drawImage(image, 0, 0);
      return { canvas, image };
    }`;
    try {
      for (const [name, { code, message }] of Object.entries(await inPage(images))) {
        assert.equal(code, "invalid_image", `${name}: ${message}`);
        assert.match(message, /crossorigin="anonymous"/, name);
      }
    } finally {
      await other.close();
    }
  });

  test("where the canvas is falsified, files are decoded by the engine and the rest is refused", async () => {
    const png = await inNode(samplePath("sample-1.png"));
    const found = await withSdk(browser, server, async (page) => {
      return page.evaluate(async (build) => {
        const vlm = await TinyVLM.load(undefined, { ...build, workerUrl: "/falsified/worker.mjs" });
        const canvas = document.createElement("canvas");
        canvas.getContext("2d").fillRect(0, 0, 9, 9);
        const text = atob("R0lGODlhAQABAIAAAAAAAP///yH5BAEAAAAALAAAAAABAAEAAAIBRAA7");
        const gif = new Blob([Uint8Array.from(text, (letter) => letter.charCodeAt(0))]);
        const outcomes = {};
        for (const [name, image] of Object.entries({
          png: "/examples-web/samples/sample-1.png",
          canvas,
          gif,
        })) {
          const { value, code, message } = await settle(ask(vlm, image, "Describe the image."));
          outcomes[name] = value
            ? { text: value.text, warnings: value.warnings }
            : { code, message };
        }
        await vlm.dispose();
        return outcomes;
      }, build);
    });
    assert.deepEqual(found.png, png);
    for (const name of ["canvas", "gif"]) {
      assert.equal(found[name].code, "invalid_image", JSON.stringify(found[name]));
      assert.match(found[name].message, /privacy setting .*PNG or JPEG/);
    }
  });

  test("where workers have no canvas (iOS 15), the page reads the images", async () => {
    const expected = await inNode(samplePath("sample-1.png"));
    const found = await withSdk(browser, server, async (page) => {
      return page.evaluate(async (build) => {
        delete globalThis.OffscreenCanvas;
        const source = "/examples-web/samples/sample-1.png";
        const element = Object.assign(new Image(), { src: source });
        await element.decode();
        const vlm = await TinyVLM.load(undefined, { ...build, workerUrl: "/no-canvas/worker.mjs" });
        const outcomes = {};
        const blob = await (await fetch(source)).blob();
        for (const [name, image] of Object.entries({ source, element, blob })) {
          const { value, code, message } = await settle(ask(vlm, image, "Describe the image."));
          outcomes[name] = value
            ? { text: value.text, warnings: value.warnings }
            : { code, message };
        }
        const broken = await settle(ask(vlm, new Blob(["GIF89a and more"]), "What?"));
        await vlm.dispose();
        return { outcomes, broken };
      }, build);
    });
    for (const [name, outcome] of Object.entries(found.outcomes))
      assert.deepEqual(outcome, expected, name);
    assert.equal(found.broken.code, "invalid_image");
    assert.match(found.broken.message, /cannot be shown by this browser/);
  });

  test("half a surrogate pair in a question is a replacement character", async () => {
    const asked = async (text) => outcome(await vlm.ask(null, text, { maxTokens: 8 }));
    assert.deepEqual(
      await asked("What \ud800is \udc00this?"),
      await asked("What \ufffdis \ufffdthis?"),
    );
    assert.deepEqual(await asked("🌻?"), await asked("\ud83c\udf3b?"));
  });
});
