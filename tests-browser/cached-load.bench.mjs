// How long loading a kept model takes, beside reading the same bytes from the same storage: over
// and over into one piece of memory, and into new memory of the model's size, whose pages the
// system has to find. In Chromium (with its profile on the disk, as users have it) and in Node.
// Printed, not asserted.
//   node tests-browser/cached-load.bench.mjs [--model FILE] [--runs 5] [--context 512]
//     [--variant relaxed|simd|…]
import {
  closeSync,
  createReadStream,
  mkdtempSync,
  openSync,
  readdirSync,
  readSync,
  rmSync,
  statSync,
} from "node:fs";
import { createServer } from "node:http";
import { cpus, tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { demoModelPath, launchChromiumWithProfile, root, serve } from "./harness.mjs";

const { values } = parseArgs({
  options: {
    model: { type: "string", default: demoModelPath },
    runs: { type: "string", default: "5" },
    context: { type: "string", default: "512" },
    variant: { type: "string" },
  },
});
const runs = Number(values.runs);
const options = { context: Number(values.context), threads: 1, variant: values.variant };
const { size } = statSync(values.model);

const line = createServer((_request, response) => {
  response.writeHead(200, {
    "access-control-allow-origin": "*",
    "access-control-expose-headers": "etag",
    "content-length": size,
    etag: '"1"',
  });
  createReadStream(values.model, { highWaterMark: 1 << 20 }).pipe(response);
});
await new Promise((resolve) => line.listen(0, "127.0.0.1", resolve));
const url = `http://127.0.0.1:${line.address().port}/model.gguf`;
const folder = mkdtempSync(join(tmpdir(), "tiny-vlm-cached-load-"));

const median = (numbers) => [...numbers].sort((a, b) => a - b)[Math.floor(numbers.length / 2)];
const show = (where, [first, ...kept], { same, fresh }, variant) =>
  console.log(
    `${where} (${variant}): first load ${first.toFixed(0)} ms, from the cache ` +
      `${median(kept).toFixed(0)} ms (median of ${kept.length}), reading the same bytes ` +
      `${median(same).toFixed(0)} ms, into new memory ${median(fresh).toFixed(0)} ms`,
  );

async function inChromium() {
  const context = await launchChromiumWithProfile(join(folder, "profile"));
  const server = await serve();
  try {
    const page = await context.newPage();
    await page.goto(`${server.url}/tests-browser/pages/sdk.html`);
    await page.waitForFunction(() => window.isReady);
    const { loads, reading, variant } = await page.evaluate(
      async ([address, given, count]) => {
        const loads = [];
        let variant = "";
        for (let run = 0; run <= count; run++) {
          const began = performance.now();
          const vlm = await TinyVLM.load(address, given);
          loads.push(performance.now() - began);
          variant = vlm.variant;
          await vlm.dispose();
        }
        // Synchronous handles are for workers only.
        const reader = new Worker(
          URL.createObjectURL(
            new Blob([
              `onmessage = async () => {
                const root = await navigator.storage.getDirectory();
                const top = await root.getDirectoryHandle("tiny-vlm");
                for await (const folder of top.values()) {
                  if (folder.kind !== "directory") continue;
                  const file = await (await folder.getFileHandle("data")).createSyncAccessHandle();
                  const timed = (target) => {
                    const began = performance.now();
                    for (let at = 0, read; (read = file.read(target(at), { at })) > 0;) at += read;
                    return performance.now() - began;
                  };
                  const piece = new Uint8Array(1 << 20);
                  const same = timed(() => piece);
                  const pages = Math.ceil(file.getSize() / 65536) + 16;
                  const { buffer } = new WebAssembly.Memory({ initial: pages });
                  const fresh = timed((at) => new Uint8Array(buffer, at, 1 << 20));
                  postMessage({ same, fresh });
                  file.close();
                }
              };`,
            ]),
          ),
        );
        const reading = { same: [], fresh: [] };
        for (let run = 0; run < count; run++) {
          const { same, fresh } = await new Promise((resolve) => {
            reader.onmessage = ({ data }) => resolve(data);
            reader.postMessage(0);
          });
          reading.same.push(same);
          reading.fresh.push(fresh);
        }
        return { loads, reading, variant };
      },
      [url, options, runs],
    );
    show("Chromium", loads, reading, variant);
  } finally {
    await context.close();
    await server.close();
  }
}

async function inNode() {
  process.env.TINYVLM_CACHE = join(folder, "node");
  const { TinyVLM } = await import(join(root, "dist", "node.mjs"));
  const loads = [];
  let variant = "";
  for (let run = 0; run <= runs; run++) {
    const began = performance.now();
    const vlm = await TinyVLM.load(url, options);
    loads.push(performance.now() - began);
    ({ variant } = vlm);
    await vlm.dispose();
  }
  const entry = readdirSync(TinyVLM.cache.folder, { withFileTypes: true }).find((each) =>
    each.isDirectory(),
  );
  const reading = { same: [], fresh: [] };
  const piece = new Uint8Array(1 << 20);
  for (let run = 0; run < runs; run++) {
    const timed = (target) => {
      const file = openSync(join(TinyVLM.cache.folder, entry.name, "data"), "r");
      const began = performance.now();
      for (let at = 0, read; (read = readSync(file, target(at))) > 0;) at += read;
      const time = performance.now() - began;
      closeSync(file);
      return time;
    };
    reading.same.push(timed(() => piece));
    const { buffer } = new WebAssembly.Memory({ initial: Math.ceil(size / 65536) + 32 });
    reading.fresh.push(timed((at) => new Uint8Array(buffer, at, 1 << 20)));
  }
  show(`Node ${process.versions.node}`, loads, reading, variant);
}

try {
  console.log(`${(size / 1e6).toFixed(0)} MB, one thread, ${cpus().length} × ${cpus()[0].model}`);
  await inChromium();
  await inNode();
} finally {
  line.closeAllConnections();
  line.close();
  rmSync(folder, { recursive: true });
}
