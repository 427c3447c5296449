// The loader against a server on the loopback, files and blobs.

import assert from "node:assert/strict";
import * as fs from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { pathOpener } from "../src/loader/file-source.js";
import { openSource, readWhole } from "../src/loader/source.js";
import { TinyVLMError } from "../src/protocol/errors.js";
import type { ByteSource } from "../src/protocol/messages.js";
import { serveFiles, type FileServer } from "./file-server.js";

const file = Uint8Array.from({ length: 3_000_000 }, (_, index) => (index * 7) >> 3);
let server: FileServer;
let folder: string;

before(async () => {
  server = await serveFiles({ model: file });
  folder = await fs.mkdtemp(join(tmpdir(), "tiny-vlm-loader-"));
  await fs.writeFile(join(folder, "model"), file);
});
after(async () => {
  await server.close();
  await fs.rm(folder, { recursive: true });
});

const openPath = pathOpener(fs);
const never = new AbortController().signal;
const url = (path: string): ByteSource => ({ kind: "url", url: server.url(path) });
const read = async (source: ByteSource, signal = never) =>
  readWhole(await openSource(source, signal, openPath), 1 << 30);

async function failure(source: ByteSource, signal = never): Promise<TinyVLMError> {
  const reason: unknown = await read(source, signal).then(
    () => assert.fail("it succeeded"),
    (error: unknown) => error,
  );
  assert(reason instanceof TinyVLMError, String(reason));
  return reason;
}

test("an address, a file, a blob and a stream give the same bytes and their size", async () => {
  const stream = new Blob([file]).stream() as ReadableStream<Uint8Array>;
  const sources: ByteSource[] = [
    url("model"),
    { kind: "path", path: join(folder, "model") },
    { kind: "blob", blob: new Blob([file]), name: "b" },
    { kind: "stream", stream, size: file.length, name: "s" },
  ];
  for (const source of sources) {
    const opened = await openSource(source, never, openPath);
    assert.equal(opened.size, file.length, source.kind);
    assert.deepEqual(await readWhole(opened, 1 << 30), file, source.kind);
  }
});

test("where the server does not tell the length it is unknown", async () => {
  const opened = await openSource(url("sizeless/model"), never);
  assert.equal(opened.size, 0);
  assert.deepEqual(await readWhole(opened, 1 << 30), file);
});

test("404 is http with status and address", async () => {
  const error = await failure(url("nothing"));
  assert.deepEqual([error.code, error.status, error.url], ["http", 404, server.url("nothing")]);
  assert.match(error.message, /answered 404 Not Found/);
});

test("a web page is no file", async () => {
  const error = await failure(url("page"));
  assert.equal(error.code, "invalid_file");
  assert.match(error.message, /web page \(text\/html/);
});

test("a connection that breaks says after how many bytes", async () => {
  const error = await failure(url("drop/model"));
  assert.deepEqual([error.code, error.url], ["network", server.url("drop/model")]);
  assert.match(error.message, /broke after \d+ of 3000000 bytes/);
});

test("no server is network", async () => {
  const error = await failure({ kind: "url", url: "http://127.0.0.1:1/model" });
  assert.equal(error.code, "network");
  assert.match(error.message, /no answer from/);
});

test("abort before, and in the middle: aborted, and the connection is closed", async () => {
  assert.equal((await failure(url("model"), AbortSignal.abort())).code, "aborted");
  const controller = new AbortController();
  const reason = new Error("enough");
  setTimeout(() => controller.abort(reason), 200);
  const error = await failure(url("slow/model"), controller.signal);
  assert.deepEqual([error.code, error.name, error.cause], ["aborted", "AbortError", reason]);
  for (let waits = 0; waits < 40 && server.hangUps() === 0; waits++)
    await new Promise((resolve) => setTimeout(resolve, 50));
  assert(server.hangUps() > 0);
});

test("a missing file is not_found, a folder io", async () => {
  assert.equal((await failure({ kind: "path", path: join(folder, "nothing") })).code, "not_found");
  assert.equal((await failure({ kind: "path", path: folder })).code, "io");
});

test("leaving the loop early releases the file", async () => {
  const opened = await openSource({ kind: "path", path: join(folder, "model") }, never, openPath);
  for await (const chunk of opened.chunks) {
    assert.equal(chunk.length, 1 << 20);
    break;
  }
});
