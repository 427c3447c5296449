// Image formats that Node decodes with the package sharp: installed, or in the folder that the
// environment variable TINYVLM_SHARP names (…/node_modules/sharp).

import assert from "node:assert/strict";
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { after, test } from "node:test";
import { pathToFileURL } from "node:url";
import type * as Sdk from "../../src/node.js";
import { described, describe, dist, first, options, root } from "./built-package.js";

interface Sharp {
  png(): Sharp;
  webp(options: object): Sharp;
  avif(options: object): Sharp;
  gif(): Sharp;
  tiff(options: object): Sharp;
  rotate(degrees: number): Sharp;
  withMetadata(options: object): Sharp;
  toBuffer(): Promise<Buffer>;
}

function sharpFolder(): string | undefined {
  const given = process.env["TINYVLM_SHARP"];
  if (given) return given;
  try {
    const found = createRequire(join(root, "package.json")).resolve("sharp");
    return found.slice(0, found.lastIndexOf(join("node_modules", "sharp"))) + "node_modules/sharp";
  } catch {
    return undefined;
  }
}

const folder = mkdtempSync(join(tmpdir(), "tiny-vlm-formats-"));
after(() => rmSync(folder, { recursive: true }));

// The package as a program has it installed: beside `neighbour`, or alone.
async function installed(name: string, neighbour?: string): Promise<typeof Sdk> {
  const modules = join(folder, name, "node_modules");
  const home = join(modules, "tiny-vlm", "dist");
  for (const part of ["node.mjs", "node-worker.mjs", "wasm/tiny-vlm-simd.wasm", "model"]) {
    mkdirSync(dirname(join(home, part)), { recursive: true });
    cpSync(join(dist, part), join(home, part), { recursive: true });
  }
  writeFileSync(join(modules, "tiny-vlm", "package.json"), '{ "type": "module" }');
  if (neighbour) symlinkSync(neighbour, join(modules, "sharp"));
  return (await import(pathToFileURL(join(home, "node.mjs")).href)) as typeof Sdk;
}

const build = { variant: "simd", threads: 1 } as const;
// The beginning of each format is enough to be named.
const heads = {
  WebP: "RIFF\x04\0\0\0WEBPVP8 ",
  AVIF: "\0\0\0\x1cftypavif",
  GIF: "GIF89a",
  TIFF: "II*\0\x08\0\0\0",
  BMP: "BM\x36\0\0\0\0\0\0\0",
  HEIC: "\0\0\0\x18ftypheic",
};

test(
  "without sharp, other formats are named together with what decodes them",
  options,
  async () => {
    const { TinyVLM } = await installed("alone");
    const vlm = await TinyVLM.load(undefined, build);
    for (const [format, head] of Object.entries(heads))
      await assert.rejects(vlm.ask(Buffer.from(head, "latin1"), "What?").then(), {
        code: "invalid_image",
        message: new RegExp(`this is an? ${format} image; .*npm install sharp`),
      });
    await assert.rejects(vlm.ask(Buffer.from("%PDF-1.7"), "What?").then(), {
      code: "invalid_image",
      message: /this is a PDF document/,
    });
    await vlm.dispose();
  },
);

const sharp = sharpFolder();
const withSharp =
  options.skip !== undefined || (sharp && existsSync(sharp))
    ? options
    : { skip: "the package sharp is not there (TINYVLM_SHARP names its folder)" };

test("with sharp, other formats are answered like the PNG, and upright", withSharp, async () => {
  const { TinyVLM } = await installed("beside", sharp);
  const make = createRequire(join(sharp!, "package.json"))(sharp!) as (file: Buffer) => Sharp;
  const png = readFileSync(first);
  const image = () => make(png);
  const vlm = await TinyVLM.load(undefined, build);
  const files = {
    WebP: await image().webp({ lossless: true }).toBuffer(),
    AVIF: await image().avif({ lossless: true, chromaSubsampling: "4:4:4" }).toBuffer(),
    GIF: await image().gif().toBuffer(),
    TIFF: await image().tiff({ compression: "lzw" }).toBuffer(),
    "turned WebP": await image()
      .rotate(-90)
      .withMetadata({ orientation: 6 })
      .webp({ lossless: true })
      .toBuffer(),
  };
  await vlm.ask(png, describe, { maxTokens: 1 });
  for (const [format, file] of Object.entries(files)) {
    const { text, usage, warnings } = await vlm.ask(file, describe);
    assert.deepEqual([text, warnings], [described, []], format);
    // The same pixels need not be encoded again.
    if (/WebP|TIFF/.test(format)) assert.equal(usage.encodedImages, 0, format);
  }
  for (const format of ["WebP", "HEIC"] as const)
    await assert.rejects(vlm.ask(Buffer.from(heads[format], "latin1"), "What?").then(), {
      code: "invalid_image",
      message: new RegExp(`this is a ${format} image, which sharp does not decode here`),
    });
  await vlm.dispose();
});
