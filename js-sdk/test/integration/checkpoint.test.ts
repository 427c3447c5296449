// Checkpoints as sources: a hub, a folder on the web, a folder of the disk; the bytes are those of
// `tiny-vlm convert`, interrupted or not, and the second load needs no network.

import assert from "node:assert/strict";
import * as fs from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { FolderStore } from "../../src/loader/folder-store.js";
import { openNodeFolder } from "../../src/loader/node-folder.js";
import { bytesContent } from "../http-answers.mjs";
import { startFakeHub, type FakeHub } from "../fake-hub.mjs";
import { runAndKill } from "../kill-points.mjs";
import { startFaultyServer, type FaultyServer } from "../faulty-server.mjs";
import { command, dist, options, root, TinyVLM } from "./built-package.js";

// Our own checkpoints of a few hundred kB; they have no tokenizer.
const goldens = join(root, "tests-native", "goldens");
const names = ["t0-hf", "t0-llava", "t0-train"];
const checkpointOf = (name: string) => join(goldens, name);

let folder: string;
let hub: FakeHub;
let web: FaultyServer;

before(async () => {
  folder = await fs.mkdtemp(join(tmpdir(), "tiny-vlm-checkpoint-"));
  process.env["TINYVLM_CACHE"] = join(folder, "cache");
  hub = await startFakeHub({
    repos: Object.fromEntries(
      names.map((name) => [
        `o/${name}`,
        { folder: checkpointOf(name), gated: name === "t0-train", license: "test-licence" },
      ]),
    ),
  });
  const files: Record<string, ReturnType<typeof bytesContent>> = {};
  for (const name of names)
    for (const file of await fs.readdir(checkpointOf(name)))
      files[`${name}/${file}`] = bytesContent(await fs.readFile(join(checkpointOf(name), file)));
  web = await startFaultyServer({ files });
});
after(async () => {
  await hub.close();
  await web.close();
  delete process.env["TINYVLM_CACHE"];
  await fs.rm(folder, { recursive: true });
});

/** What `tiny-vlm convert` makes of it. */
async function converted(name: string, type: string): Promise<Buffer> {
  const output = join(folder, `${name}-${type}.gguf`);
  const checkpoint = checkpointOf(name);
  const { code, err } = command(
    ...["convert", checkpoint, "-o", output, "--type", type, "--no-tokenizer"],
  );
  assert.equal(code, 0, err);
  return fs.readFile(output);
}

/** The model file that is kept; there is one. */
async function kept(): Promise<Buffer> {
  const cache = join(folder, "cache");
  const [model, ...more] = await new FolderStore(await openNodeFolder(fs, cache)).list();
  assert(model && more.length === 0);
  assert.equal(model.storedBytes, model.totalBytes);
  const entries = await fs.readdir(cache, { withFileTypes: true });
  const entry = entries.find((each) => each.isDirectory())!;
  return fs.readFile(join(cache, entry.name, "data"));
}

const quiet = { threads: 1, onWarning: () => {} };

for (const name of names)
  test(`${name} from a hub is the file that convert writes`, options, async () => {
    const access = { hubUrl: hub.endpoint, headers: { authorization: "Bearer hub-token" } };
    for (const type of ["q4_0", "f16"] as const) {
      await TinyVLM.cache.clear();
      hub.reset();
      const vlm = await TinyVLM.load(`hf:o/${name}`, { ...quiet, ...access, type });
      await vlm.dispose();
      assert((await kept()).equals(await converted(name, type)));
      assert.deepEqual(hub.leakedCredentials(), []);
      hub.reset();
      await (await TinyVLM.load(`hf:o/${name}`, { ...quiet, ...access, type })).dispose();
      assert.equal(hub.requests().length, 0);
    }
  });

test("a repository whose list of files comes in pages is read as a whole", options, async () => {
  const paged = await startFakeHub({
    repos: { "o/t0-llava": { folder: checkpointOf("t0-llava") } },
    pageSize: 2,
  });
  try {
    await TinyVLM.cache.clear();
    const settings = { ...quiet, hubUrl: paged.endpoint, type: "q4_0" as const };
    await (await TinyVLM.load("hf:o/t0-llava", settings)).dispose();
    assert((await kept()).equals(await converted("t0-llava", "q4_0")));
    const lists = paged.requests().filter(({ path }) => path.includes("/tree/"));
    assert.equal(lists.length, Math.ceil((await fs.readdir(checkpointOf("t0-llava"))).length / 2));
  } finally {
    await paged.close();
  }
});

test("a folder on the web and one of the disk give the same file", options, async () => {
  const wanted = await converted("t0-llava", "q8_0");
  for (const source of [web.url("t0-llava/"), checkpointOf("t0-llava")]) {
    await TinyVLM.cache.clear();
    const vlm = await TinyVLM.load(source, { ...quiet, cache: { key: "the checkpoint" } });
    await vlm.dispose();
    assert((await kept()).equals(wanted), source);
  }
});

test(
  "a conversion over a bad line, and one that was broken off, end in the same file",
  options,
  async () => {
    const wanted = await converted("t0-hf", "q8_0");
    const url = web.url("t0-hf/");
    await TinyVLM.cache.clear();
    web.reset();
    web.plan("*", [{ name: "drop" }, { name: "status-503-bare" }, { name: "reset" }]);
    await (await TinyVLM.load(url, quiet)).dispose();
    assert((await kept()).equals(wanted));
    await TinyVLM.cache.clear();
    web.reset();
    web.plan("t0-hf/model.safetensors", ({ count }) =>
      count >= 2 ? { name: "stall" } : undefined,
    );
    const controller = new AbortController();
    setTimeout(() => controller.abort(), 1000);
    await assert.rejects(TinyVLM.load(url, { ...quiet, signal: controller.signal }), {
      code: "aborted",
    });
    web.reset();
    await (await TinyVLM.load(url, quiet)).dispose();
    assert((await kept()).equals(wanted));
  },
);

test("tiny-vlm pull shows licence and size, asks, and keeps the model", options, async () => {
  const script = join(dist, "cli.mjs");
  const cacheFolder = join(folder, "pulled");
  const env = { TINYVLM_CACHE: cacheFolder, HF_ENDPOINT: hub.endpoint, HF_TOKEN: "hub-token" };
  const args = ["pull", "hf:o/t0-llava", "--type", "q4_0"];
  const asked = await runAndKill({ script, args, env });
  assert.equal(asked.code, 1);
  assert.match(asked.stderr, /licence: test-licence\n/);
  assert.match(asked.stderr, /to be fetched: at most [0-9.]+ MB\n/);
  assert.match(asked.stderr, /--yes fetches without asking/);
  const pulled = await runAndKill({ script, args: [...args, "--yes"], env });
  assert.equal(pulled.code, 0, pulled.stderr);
  assert.match(pulled.stdout, /t0-llava: 0\.2 MB, kept in /);
  const [model] = await new FolderStore(await openNodeFolder(fs, cacheFolder)).list();
  assert(model && model.storedBytes === model.totalBytes);
  const missing = await runAndKill({ script, args: ["pull", "hf:o/nothing", "--yes"], env });
  assert.equal(missing.code, 12);
  assert.match(missing.stderr, /^tiny-vlm: http: wanted the repository o\/nothing/m);
});

test("what is no checkpoint says so", options, async () => {
  const empty = join(folder, "empty");
  await fs.mkdir(empty);
  const cases: [string, string][] = [
    [web.url("nothing/"), "not_found"],
    ["hf:o/nothing", "http"],
    ["hf:o", "invalid_argument"],
    [empty, "not_found"],
  ];
  for (const [source, code] of cases)
    await assert.rejects(TinyVLM.load(source, { ...quiet, hubUrl: hub.endpoint }), { code });
});
