// The loader against a server on the loopback, files and blobs.

import assert from "node:assert/strict";
import * as fs from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { pathOpener } from "../src/loader/file-source.js";
import { readWhole, type OpenedSource } from "../src/loader/chunks.js";
import { openSource } from "../src/loader/source.js";
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
  readWhole(await openSource(source, signal, openPath), 1 << 30, "invalid_image");

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
    assert.deepEqual(await readWhole(opened, 1 << 30, "invalid_image"), file, source.kind);
  }
});

test("where the server does not tell the length it is unknown", async () => {
  const opened = await openSource(url("sizeless/model"), never);
  assert.equal(opened.size, 0);
  assert.deepEqual(await readWhole(opened, 1 << 30, "invalid_image"), file);
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
  const handles: fs.FileHandle[] = [];
  const open: typeof fs.open = async (...args) => {
    const handle = await fs.open(...args);
    handles.push(handle);
    return handle;
  };
  const source: ByteSource = { kind: "path", path: join(folder, "model") };
  const opened = await openSource(source, never, pathOpener({ open }));
  for await (const chunk of opened.chunks) {
    assert.equal(chunk.length, 1 << 20);
    assert.notEqual(handles[0]!.fd, -1);
    break;
  }
  assert.deepEqual(
    handles.map(({ fd }) => fd),
    [-1], // closed
  );
});

// Chunks in one buffer, as file-source.ts gives them: each is overwritten by the next.
function chunked(bytes: Uint8Array, size: number, onRelease = () => {}): OpenedSource {
  async function* chunks() {
    const buffer = new Uint8Array(7);
    try {
      for (let at = 0; at < bytes.length; at += buffer.length) {
        const chunk = bytes.subarray(at, at + buffer.length);
        buffer.set(chunk);
        yield buffer.subarray(0, chunk.length);
      }
    } finally {
      onRelease();
    }
  }
  return { name: "the chunks", size, chunks: chunks() };
}

test("all bytes arrive whatever size was announced", async () => {
  for (const length of [0, 1, 7, 8, 100]) {
    const bytes = file.subarray(0, length);
    for (const announced of [0, 1, length, length + 1, 1000]) {
      const whole = await readWhole(chunked(bytes, announced), 1000, "invalid_image");
      assert.deepEqual(whole, bytes, `${length} bytes, ${announced} announced`);
      assert.equal(whole.buffer.byteLength, length);
    }
  }
});

test("more bytes than the limit are refused and the source is released", async () => {
  for (const announced of [0, 50, 100]) {
    let released = false;
    const opened = chunked(file.subarray(0, 100), announced, () => {
      released = true;
    });
    await assert.rejects(readWhole(opened, 99, "invalid_image"), {
      code: "invalid_image",
      message: /^the chunks is too large: wanted at most 99 bytes, found 1\d\d$/,
    });
    assert(released);
  }
  assert.equal((await readWhole(chunked(file.subarray(0, 100), 100), 100, "io")).length, 100);
});
