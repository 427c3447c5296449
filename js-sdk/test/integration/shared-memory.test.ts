// Systems that have no room for the largest memory that threads can share get a smaller one, and
// those that have room for none get one thread.

import assert from "node:assert/strict";
import * as fs from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { pathToFileURL } from "node:url";
import { describe, described, dist, first, options, TinyVLM } from "./built-package.js";

let folder: string;

// As a system would that reserves at most MOST_PAGES pages.
const refusing = `
const { Memory } = WebAssembly;
WebAssembly.Memory = function (descriptor) {
  if (descriptor.shared && descriptor.maximum > Number(process.env.MOST_PAGES))
    throw new RangeError("WebAssembly.Memory(): could not allocate memory");
  return new Memory(descriptor);
};
WebAssembly.Memory.prototype = Memory.prototype;
`;

before(async () => {
  folder = await fs.mkdtemp(join(tmpdir(), "tiny-vlm-shared-memory-"));
  await fs.writeFile(join(folder, "refusing.mjs"), refusing);
  for (const name of ["node-worker.mjs", "node-worker-mt.mjs"]) {
    const worker = JSON.stringify(pathToFileURL(join(dist, name)).href);
    await fs.writeFile(join(folder, name), `import "./refusing.mjs";\nimport ${worker};\n`);
  }
});
after(() => fs.rm(folder, { recursive: true }));

const cases = [
  { pages: 65_536, threads: 2 },
  { pages: 65_535, threads: 2 },
  { pages: 10_000, threads: 2 },
  { pages: 4_096, threads: 2 },
  { pages: 4_095, threads: 1 },
  { pages: 0, threads: 1 },
];
for (const { pages, threads } of cases)
  test(`room for ${pages} pages: ${threads} threads`, options, async () => {
    process.env["MOST_PAGES"] = String(pages);
    const workerUrl = `${pathToFileURL(folder).href}/`;
    const vlm = await TinyVLM.load(undefined, { threads: 2, workerUrl });
    assert.equal(vlm.threads, threads);
    assert.equal((await vlm.ask(first, describe)).text, described);
    await vlm.dispose();
  });

test("a build with threads that was named is refused where there is no room", options, async () => {
  process.env["MOST_PAGES"] = "0";
  const workerUrl = `${pathToFileURL(folder).href}/`;
  await assert.rejects(
    TinyVLM.load(undefined, { threads: 2, workerUrl, variant: "simd-mt" }),
    (error: { code?: string }) => error.code === "out_of_memory",
  );
});
