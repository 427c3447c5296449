// The fake hub itself, with plain fetch, on a small checkpoint in two shards.

import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { cp, mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, beforeEach, test } from "node:test";
import { startFakeHub, type FakeHub } from "./fake-hub.mjs";

const shards = ["model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors"];
const shard = (seed: number) =>
  Uint8Array.from({ length: 150_000 }, (_, index) => (index * 40503 + seed) >>> 5);
const token = { authorization: "Bearer hub-token" };
let parent: string;
let folder: string;
let hub: FakeHub;

before(async () => {
  parent = await mkdtemp(join(tmpdir(), "tiny-vlm-hub-"));
  folder = join(parent, "checkpoint");
  await mkdir(join(folder, "assets", "icons"), { recursive: true });
  const weightMap = { "a.weight": shards[0], "b.weight": shards[1] };
  const files = {
    "config.json": JSON.stringify({ model_type: "test" }),
    "model.safetensors.index.json": JSON.stringify({ metadata: {}, weight_map: weightMap }),
    "assets/icons/one.txt": "1",
    "assets/two words.txt": "2",
    [shards[0]!]: shard(1),
    [shards[1]!]: shard(2),
  };
  for (const [name, bytes] of Object.entries(files)) await writeFile(join(folder, name), bytes);
  hub = await startFakeHub({
    repos: {
      "maker/open": { folder, license: "apache-2.0", revisions: { "refs/pr/1": folder } },
      "maker/gated": { folder, gated: true },
    },
  });
});
beforeEach(() => {
  hub.reset();
  hub.limitSigned();
});
after(async () => {
  await hub.close();
  await rm(parent, { recursive: true });
});

const onDisk = async (name: string) => new Uint8Array(await readFile(join(folder, name)));
const sha256 = (bytes: Uint8Array) => createHash("sha256").update(bytes).digest("hex");
async function bytesOf(url: string, headers: Record<string, string> = {}) {
  return new Uint8Array(await (await fetch(url, { headers })).arrayBuffer());
}

/** An API answer that must be there. */
async function json<T>(path: string): Promise<T> {
  const response = await fetch(hub.endpoint + path);
  assert.equal(response.status, 200, path);
  return (await response.json()) as T;
}

test("a sharded checkpoint arrives as it is on the disk", async () => {
  const index = await fetch(hub.url("maker/open", "model.safetensors.index.json"));
  assert.equal(index.headers.get("x-repo-commit"), hub.sha("maker/open"));
  const { weight_map } = (await index.json()) as { weight_map: Record<string, string> };
  for (const name of Object.values(weight_map))
    assert.deepEqual(await bytesOf(hub.url("maker/open", name)), await onDisk(name));
  await hub.settled();
  assert.deepEqual(
    hub.requests().map(({ origin, status, file }) => [origin, status, file]),
    [
      ["main", 200, "maker/open/model.safetensors.index.json"],
      ...shards.flatMap((name) => [
        ["main", 302, `maker/open/${name}`],
        ["other", 200, `maker/open/${name}`],
      ]),
    ],
  );
  const fromTarget = hub.requests().filter(({ origin }) => origin === "other");
  assert.deepEqual(
    fromTarget.map(({ bodyBytes, outcome }) => [bodyBytes, outcome]),
    shards.map(() => [150_000, "complete"]),
  );
});

test("small files have Git's hash as ETag, and ranges", async () => {
  const url = hub.url("maker/open", "config.json");
  const bytes = await onDisk("config.json");
  const whole = await fetch(url);
  const blob = Buffer.concat([Buffer.from(`blob ${bytes.length}\0`), bytes]);
  const etag = `"${createHash("sha1").update(blob).digest("hex")}"`;
  assert.equal(whole.headers.get("etag"), etag);
  assert.deepEqual(new Uint8Array(await whole.arrayBuffer()), bytes);
  const part = await bytesOf(url, { range: "bytes=2-5", "if-range": etag });
  assert.deepEqual(part, bytes.slice(2, 6));
  const known = await fetch(url, { headers: { "if-none-match": etag } });
  assert.equal(known.status, 304);
  const spaced = hub.url("maker/open", "assets/two words.txt");
  assert.equal(Buffer.from(await bytesOf(spaced)).toString(), "2");
});

test("large files: 302 with size, hash and commit; the target knows ranges", async () => {
  const name = shards[0]!;
  const bytes = await onDisk(name);
  for (const method of ["GET", "HEAD"]) {
    const { status, headers } = await fetch(hub.url("maker/open", name), {
      ...{ method, redirect: "manual" },
    });
    assert.equal(status, 302);
    const etag = `"${sha256(bytes)}"`;
    assert.deepEqual(
      ["x-linked-size", "x-linked-etag", "etag", "x-repo-commit"].map((one) => headers.get(one)),
      [`${bytes.length}`, etag, etag, hub.sha("maker/open")],
    );
    const target = headers.get("location")!;
    assert.equal(new URL(target).origin, hub.origins.other);
    const part = await fetch(target, { headers: { range: "bytes=1000-1009", "if-range": etag } });
    assert.equal(part.status, 206);
    assert.equal(part.headers.get("content-range"), `bytes 1000-1009/${bytes.length}`);
    assert.deepEqual(new Uint8Array(await part.arrayBuffer()), bytes.slice(1000, 1010));
  }
});

test("signed addresses expire; the file's own address gives a fresh one", async () => {
  hub.limitSigned({ uses: 1 });
  const url = hub.url("maker/open", shards[0]!);
  const response = await fetch(url);
  const bytes = await onDisk(shards[0]!);
  assert.deepEqual(new Uint8Array(await response.arrayBuffer()), bytes);
  assert.equal((await fetch(response.url)).status, 403);
  assert.deepEqual(await bytesOf(url), bytes);
});

test("what is missing is told apart", async () => {
  const open = hub.url("maker/open", "config.json");
  for (const [url, code] of [
    [hub.url("maker/open", "nothing.bin"), "EntryNotFound"],
    [hub.url("maker/open", "config.json", "v9"), "RevisionNotFound"],
    [hub.url("maker/none", "config.json"), "RepoNotFound"],
    [`${hub.endpoint}/api/models/maker/none`, "RepoNotFound"],
    [`${hub.endpoint}/api/models/maker/open/revision/v9`, "RevisionNotFound"],
    [`${hub.endpoint}/api/models/maker/open/tree/main/nowhere`, "EntryNotFound"],
  ]) {
    const { status, headers } = await fetch(url!);
    assert.deepEqual([status, headers.get("x-error-code")], [404, code], url);
    assert.ok(headers.get("x-error-message"));
  }
  for (const path of ["/", "/maker", "/maker/open/blob/main/config.json", "/api/models"])
    assert.equal((await fetch(hub.endpoint + path)).status, 404, path);
  const unknown = await fetch(open, { headers: { authorization: "Bearer no" } });
  assert.deepEqual([unknown.status, unknown.headers.get("x-error-code")], [401, null]);
  const shy = await startFakeHub({ repos: {}, hideMissing: true });
  try {
    assert.equal((await fetch(shy.url("maker/none", "a"))).status, 401);
    assert.equal((await fetch(shy.url("maker/none", "a"), { headers: token })).status, 404);
  } finally {
    await shy.close();
  }
});

test("a gated repository wants the token, which must stay at the hub's origin", async () => {
  const url = hub.url("maker/gated", shards[1]!);
  const refused = await fetch(url);
  assert.deepEqual([refused.status, refused.headers.get("x-error-code")], [401, "GatedRepo"]);
  const stranger = await fetch(url, { headers: { authorization: "Bearer strangers-token" } });
  assert.deepEqual([stranger.status, stranger.headers.get("x-error-code")], [403, "GatedRepo"]);
  assert.deepEqual(await bytesOf(url, token), await onDisk(shards[1]!));
  assert.equal(hub.requests().at(-2)!.headers["authorization"], token.authorization);
  assert.deepEqual(hub.leakedCredentials(), []); // fetch itself drops it

  const location = (await fetch(url, { headers: token, redirect: "manual" })).headers;
  await bytesOf(location.get("location")!, token); // what a careless client would do
  assert.equal(hub.leakedCredentials().length, 1);
});

test("the model's description: commit, files, license, gating", async () => {
  interface Info {
    sha: string;
    gated: false | string;
    cardData: { license?: string };
    siblings: { rfilename: string; size?: number; lfs?: { sha256: string } }[];
  }
  const info = await json<Info>("/api/models/maker/open/revision/main");
  assert.deepEqual(await json("/api/models/maker/open"), info);
  assert.deepEqual([info.sha, info.gated], [hub.sha("maker/open"), false]);
  assert.equal(info.cardData.license, "apache-2.0");
  const names = info.siblings.map(({ rfilename }) => rfilename);
  assert.deepEqual(names, [
    ...["assets/icons/one.txt", "assets/two words.txt", "config.json"],
    ...[...shards, "model.safetensors.index.json"],
  ]);
  assert.deepEqual(info.siblings[0], { rfilename: names[0] }); // no sizes unless asked
  const { siblings } = await json<Info>("/api/models/maker/open/revision/refs%2Fpr%2F1?blobs=true");
  assert.equal(siblings[0]!.size, 1);
  assert.equal(siblings[3]!.lfs!.sha256, sha256(shard(1)));
  assert.equal((await json<Info>("/api/models/maker/gated")).gated, "manual");
});

test("the tree comes in pages, with the hashes of large files", async () => {
  interface Entry {
    type: string;
    path: string;
    size: number;
    lfs?: { oid: string; size: number };
  }
  const entries: Entry[] = [];
  let url: string | undefined =
    `${hub.endpoint}/api/models/maker/open/tree/main?recursive=1&limit=3`;
  let pages = 0;
  for (; url; pages++) {
    const response: Response = await fetch(url);
    entries.push(...((await response.json()) as Entry[]));
    [, url] = /^<(.*)>; rel="next"$/.exec(response.headers.get("link") ?? "") ?? [];
  }
  assert.equal(pages, 3);
  const kinds = entries.map(({ type, path }) => `${type} ${path}`);
  assert.deepEqual(kinds, [
    ...["directory assets", "directory assets/icons", "file assets/icons/one.txt"],
    ...["file assets/two words.txt", "file config.json"],
    ...[...shards.map((name) => `file ${name}`), "file model.safetensors.index.json"],
  ]);
  const { size, lfs } = entries[5]!;
  assert.deepEqual([size, lfs!.size, lfs!.oid], [150_000, 150_000, sha256(shard(1))]);
  assert.equal(entries[4]!.lfs, undefined);
  const flat = await json<Entry[]>("/api/models/maker/open/tree/main");
  assert.equal(flat.length, 5);
  const inner = await json<Entry[]>("/api/models/maker/open/tree/main/assets");
  assert.deepEqual(
    inner.map(({ path }) => path),
    ["assets/icons", "assets/two words.txt"],
  );
});

test("a revision moves, its old commit stays", async () => {
  const next = join(parent, "next");
  await cp(folder, next, { recursive: true });
  await writeFile(join(next, "config.json"), "{}");
  const old = hub.sha("maker/open");
  await hub.publish("maker/open", next);
  assert.notEqual(hub.sha("maker/open"), old);
  const config = (revision?: string) => bytesOf(hub.url("maker/open", "config.json", revision));
  assert.equal(Buffer.from(await config()).toString(), "{}");
  assert.deepEqual(await config(old), await onDisk("config.json"));
  await hub.publish("maker/open", folder);
});

test("plans of faults: at the hub's address, at the signed one, in the lists", async () => {
  const file = `maker/open/${shards[0]}`;
  const url = hub.url("maker/open", shards[0]!);
  hub.plan(file, [{ name: "hub-rate-limit", seconds: 9 }, { name: "redirect-307" }]);
  hub.plan(file, [{ name: "drop", at: 100_000 }], { signed: true });
  hub.plan("maker/open@info", [{ name: "redirect-302" }, { name: "status-503" }]);
  const limited = await fetch(url);
  assert.equal(limited.status, 429);
  await assert.rejects(bytesOf(url), /terminated/);
  assert.deepEqual(await bytesOf(url), await onDisk(shards[0]!));
  const moved = await json<{ sha: string }>("/api/models/maker/open");
  assert.equal(moved.sha, hub.sha("maker/open"));
  assert.deepEqual(hub.unmet(), [{ name: "status-503" }]);
  assert.equal((await fetch(`${hub.endpoint}/api/models/maker/open`)).status, 503);
  assert.deepEqual(hub.unmet(), []);

  hub.plan(file, [{ name: "change" }], { signed: true });
  const etag = (await fetch(url)).headers.get("etag");
  const { headers } = await fetch(url, { method: "HEAD", redirect: "manual" });
  assert.equal(headers.get("x-linked-etag"), etag);
  assert.notEqual(etag, `"${sha256(shard(1))}"`);
});
