// "My image is already in the page in some form": every form that a browser has of one image gets
// one answer.
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { jpegImage, pngImage } from "../tools/large-images.mjs";
import { launchBrowser, serve, withSdk } from "./harness.mjs";

const mostGrowthBytes = 24e6;

describe("images in a page", () => {
  let browser;
  let server;
  before(async () => {
    browser = await launchBrowser();
    server = await serve({
      routes: {
        "/large": async (request, response) => {
          const { searchParams } = new URL(request.url, "http://host");
          const [width, height] = ["width", "height"].map((name) => Number(searchParams.get(name)));
          const make = searchParams.get("kind") === "jpeg" ? jpegImage : pngImage;
          response.writeHead(200, { "Content-Type": "application/octet-stream" });
          for (const part of await make(width, height)) response.write(part);
          response.end();
        },
      },
    });
  });
  after(async () => {
    await browser.close();
    await server.close();
  });

  test("each kind of image source gets the answer that the file gets", async () => {
    await withSdk(browser, server, async (page) => {
      const answers = await page.evaluate(async () => {
        const url = "/examples-web/samples/sample-6.png";
        const blob = await (await fetch(url)).blob();
        const bitmap = await createImageBitmap(blob);
        const canvas = Object.assign(document.createElement("canvas"), {
          width: bitmap.width,
          height: bitmap.height,
        });
        canvas.getContext("2d").drawImage(bitmap, 0, 0);
        const pixels = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
        const offscreen = new OffscreenCanvas(bitmap.width, bitmap.height);
        offscreen.getContext("2d").drawImage(bitmap, 0, 0);
        const element = new Image();
        element.src = url;
        await element.decode();
        const rgb = new Uint8Array((pixels.data.length / 4) * 3);
        for (let i = 0; i < pixels.data.length / 4; i++)
          rgb.set(pixels.data.subarray(4 * i, 4 * i + 3), 3 * i);
        const frame = new VideoFrame(canvas, { timestamp: 0 });
        const kinds = {
          address: url,
          URL: new URL(url, location.href),
          Blob: blob,
          File: new File([blob], "mine.png", { type: blob.type }),
          ArrayBuffer: await blob.arrayBuffer(),
          Uint8Array: new Uint8Array(await blob.arrayBuffer()),
          "data: URL": canvas.toDataURL("image/png"),
          ImageData: pixels,
          canvas: canvas,
          OffscreenCanvas: offscreen,
          "<img>": element,
          VideoFrame: frame,
          "raw RGBA": { data: pixels.data.slice(), width: canvas.width, height: canvas.height },
          "raw RGB": { data: rgb, width: canvas.width, height: canvas.height },
          ImageBitmap: bitmap,
        };
        const vlm = await TinyVLM.load();
        const answers = {};
        for (const [kind, image] of Object.entries(kinds))
          answers[kind] = (await ask(vlm, image, "Describe the image.")).text;
        answers["exact preprocessing"] = (
          await ask(vlm, blob, "Describe the image.", { exactPreprocess: true })
        ).text;
        frame.close();
        await vlm.dispose();
        return answers;
      });
      for (const [kind, text] of Object.entries(answers))
        assert.equal(text, "A fire engine, a snowman and a balloon.", kind);
    });
  });

  test("a photograph in any EXIF orientation is the same image to the model", async () => {
    await withSdk(browser, server, async (page) => {
      const { encoded, turned } = await page.evaluate(async () => {
        // Squares of 16 pixels in plain greys come out of a JPEG alike however they are turned, so
        // the images are equal to the pixel or not at all. (Of colours some browsers keep a half of
        // the points, and mirrored ones then differ by a level.)
        const width = 256,
          height = 192;
        const upright = new OffscreenCanvas(width, height);
        const greys = ["#000000", "#333333", "#666666", "#999999", "#cccccc", "#ffffff"];
        const paint = upright.getContext("2d");
        for (let y = 0, n = 0; y < height; y += 16)
          for (let x = 0; x < width; x += 16, n += 1 + (x >> 5)) {
            paint.fillStyle = greys[n % 6];
            paint.fillRect(x, y, 16, 16);
          }
        // From the upright image to the rows that a camera stores; EXIF turns them back.
        const store = {
          1: [1, 0, 0, 1, 0, 0],
          2: [-1, 0, 0, 1, width, 0],
          3: [-1, 0, 0, -1, width, height],
          4: [1, 0, 0, -1, 0, height],
          5: [0, 1, 1, 0, 0, 0],
          6: [0, -1, 1, 0, 0, width],
          7: [0, -1, -1, 0, height, width],
          8: [0, 1, -1, 0, height, 0],
        };
        const photograph = async (orientation) => {
          const canvas =
            orientation < 5
              ? new OffscreenCanvas(width, height)
              : new OffscreenCanvas(height, width);
          const context = canvas.getContext("2d");
          context.setTransform(...store[orientation]);
          context.drawImage(upright, 0, 0);
          const jpeg = new Uint8Array(
            await (await canvas.convertToBlob({ type: "image/jpeg", quality: 1 })).arrayBuffer(),
          );
          const exif = [
            0x45,
            0x78,
            0x69,
            0x66,
            0,
            0,
            0x4d,
            0x4d,
            0,
            42,
            0,
            0,
            0,
            8,
            0,
            1,
            1,
            0x12,
            0,
            3,
            0,
            0,
            0,
            1,
            0,
            orientation,
            0,
            0,
            0,
            0,
            0,
            0,
          ];
          return new Blob(
            [
              jpeg.subarray(0, 2),
              Uint8Array.of(0xff, 0xe1, 0, exif.length + 2, ...exif),
              jpeg.subarray(2),
            ],
            { type: "image/jpeg" },
          );
        };
        const vlm = await TinyVLM.load();
        const encoded = [];
        for (let orientation = 1; orientation <= 8; orientation++)
          encoded.push(
            (await ask(vlm, await photograph(orientation), "What is this?", { maxTokens: 1 })).usage
              .encodedImages,
          );
        // Without the turn it would be another image.
        const turned = (
          await ask(vlm, await photograph(6), "What is this?", {
            maxTokens: 1,
            exactPreprocess: true,
          })
        ).usage.encodedImages;
        await vlm.dispose();
        return { encoded, turned };
      });
      assert.deepEqual(encoded, [1, 0, 0, 0, 0, 0, 0, 0]);
      assert.equal(turned, 1);
    });
  });

  test("an image of 48 megapixels leaves the engine's memory nearly as it was", async () => {
    await withSdk(browser, server, async (page) => {
      const grown = await page.evaluate(async () => {
        const vlm = await TinyVLM.load(undefined, { threads: 1 });
        const before = await vlm.memoryBytes();
        for (const kind of ["jpeg", "png"])
          await vlm.ask(`/large?kind=${kind}&width=8000&height=6000`, "What?", { maxTokens: 2 });
        const after = await vlm.memoryBytes();
        await vlm.dispose();
        return after - before;
      });
      assert(grown <= mostGrowthBytes, `${grown} bytes more`);
    });
  });

  test("text alone, without an image, is answered", async () => {
    await withSdk(browser, server, async (page) => {
      const answer = await page.evaluate(async () => {
        const vlm = await TinyVLM.load();
        const answer = await ask(vlm, null, "Describe the image.", { maxTokens: 8 });
        await vlm.dispose();
        return answer;
      });
      assert.equal(answer.usage.imageTokens, 0);
      assert.ok(answer.usage.completionTokens >= 1);
    });
  });

  test("two questions at once are answered in the order asked", async () => {
    await withSdk(browser, server, async (page) => {
      const { order, texts } = await page.evaluate(async () => {
        const vlm = await TinyVLM.load();
        const order = [];
        const first = vlm
          .ask("/examples-web/samples/sample-1.png", "Describe the image.")
          .then((answer) => {
            order.push("first");
            return answer.text;
          });
        const second = vlm
          .ask("/examples-web/samples/sample-2.png", "Describe the image.")
          .then((answer) => {
            order.push("second");
            return answer.text;
          });
        const texts = await Promise.all([first, second]);
        await vlm.dispose();
        return { order, texts };
      });
      assert.deepEqual(order, ["first", "second"]);
      assert.deepEqual(texts, ["A sunflower.", "A pencil and a ring."]);
    });
  });
});
