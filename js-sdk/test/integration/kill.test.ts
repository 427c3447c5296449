// A process that is killed while it loads a model: the next one loads it rightly and fetches only
// what is missing.

import assert from "node:assert/strict";
import * as fs from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { pathToFileURL } from "node:url";
import { FolderStore } from "../../src/loader/folder-store.js";
import { openNodeFolder } from "../../src/loader/node-folder.js";
import { startFaultyServer, type FaultyServer } from "../faulty-server.mjs";
import { runAndKill, seededIntegers } from "../kill-points.mjs";
import { dist, model as modelPath, options } from "./built-package.js";

// More of them by KILLS=200.
const kills = Number(process.env["KILLS"] ?? 12);

let folder: string;
let script: string;
let model: Buffer;
let server: FaultyServer;

before(async () => {
  folder = await fs.mkdtemp(join(tmpdir(), "tiny-vlm-kill-"));
  model = options.skip ? Buffer.alloc(0) : await fs.readFile(modelPath);
  server = await startFaultyServer({ files: { "model.gguf": model } });
  script = join(folder, "load.mjs");
  const entry = JSON.stringify(pathToFileURL(join(dist, "node.mjs")).href);
  await fs.writeFile(
    script,
    `import { TinyVLM } from ${entry};
     const vlm = await TinyVLM.load(process.argv[2], { variant: "simd" });
     const { text } = await vlm.ask(null, "Say something.", { maxTokens: 4 });
     console.log(JSON.stringify({ text }));
     await vlm.dispose();\n`,
  );
});
after(async () => {
  await server.close();
  await fs.rm(folder, { recursive: true });
});

test(
  `a load killed at ${kills} moments goes on where it was`,
  { ...options, timeout: 600_000 },
  async (t) => {
    const args = [server.url("model.gguf")];
    const moments = seededIntegers({ seed: 20, count: kills, from: 0, to: model.length });
    let text: string | undefined;
    let total = 0;
    for (const [index, afterBytes] of moments.entries()) {
      const cacheFolder = join(folder, `cache-${index}`);
      const env = { TINYVLM_CACHE: cacheFolder };
      server.reset();
      const first = await runAndKill({
        ...{ script, args, env, server },
        kill: { afterBytes, lingerMs: 100 },
      });
      assert(first.killed, first.stderr);
      const store = new FolderStore(await openNodeFolder(fs, cacheFolder));
      const stored = (await store.list())[0]?.storedBytes ?? 0;
      server.reset();
      const second = await runAndKill({ script, args, env, server });
      assert.equal(second.code, 0, second.stderr);
      const answer = (JSON.parse(second.stdout) as { text: string }).text;
      text ??= answer;
      assert.equal(answer, text);
      assert.equal(server.bytesSent(), model.length - stored, `killed after ${afterBytes} bytes`);
      total += stored;
      server.reset();
      const third = await runAndKill({ script, args, env, server });
      assert.equal(third.code, 0, third.stderr);
      assert.equal(server.bytesSent(), 0);
    }
    t.diagnostic(`${kills} kills, ${(total / kills / 1e6).toFixed(1)} MB stored before each`);
  },
);

test("two processes that load at once fetch once", options, async () => {
  const env = { TINYVLM_CACHE: join(folder, "cache-both") };
  server.reset();
  const args = [server.url("model.gguf")];
  const both = await Promise.all([
    runAndKill({ script, args, env, server }),
    runAndKill({ script, args, env, server }),
  ]);
  for (const { code, stderr } of both) assert.equal(code, 0, stderr);
  assert.equal(both[0].stdout, both[1].stdout);
  assert.equal(server.bytesSent(), model.length);
});
