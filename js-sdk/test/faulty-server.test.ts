// The faulty server itself, with plain fetch and, where bytes on the wire matter, with a socket.

import assert from "node:assert/strict";
import { connect } from "node:net";
import { after, before, beforeEach, test } from "node:test";
import { gunzipSync } from "node:zlib";
import { faultNames, faults, type Fault, type FaultName } from "./faults.mjs";
import { startFaultyServer, type FaultyServer } from "./faulty-server.mjs";
import { bytesContent } from "./http-answers.mjs";

const size = 300_000;
const file = Uint8Array.from({ length: size }, (_, index) => (index * 2654435761) >>> 13);
const small = file.slice(0, 5000);
let server: FaultyServer;

before(async () => {
  server = await startFaultyServer({ files: { model: file, "folder/a b.json": small } });
});
beforeEach(() => server.reset());
after(() => server.close());

interface Outcome {
  status: number;
  headers: Headers;
  /** What arrived before the end or the error. */
  bytes: Uint8Array;
  error: unknown;
}

/** Fetches and reads to the end, whatever that is. */
async function get(url: string, headers: Record<string, string> = {}, init: RequestInit = {}) {
  const outcome: Outcome = {
    ...{ status: 0, headers: new Headers(), bytes: new Uint8Array(), error: undefined },
  };
  const parts: Uint8Array[] = [];
  try {
    const response = await fetch(url, { headers, ...init });
    outcome.status = response.status;
    outcome.headers = response.headers;
    for await (const part of response.body ?? []) parts.push(part);
  } catch (error) {
    outcome.error = error;
  }
  outcome.bytes = new Uint8Array(Buffer.concat(parts));
  return outcome;
}

/** `get` of the model with this fault, and the record of the first request. */
async function meet(fault: Fault, headers: Record<string, string> = {}, init: RequestInit = {}) {
  server.plan("model", [fault]);
  const outcome = await get(server.url("model"), headers, init);
  await server.settled();
  return { ...outcome, record: server.requests()[0]! };
}

/** Sends a request by hand; resolves to what came until the connection ended, and how it ended. */
function raw(name: string, method = "GET", headers = "") {
  const { hostname, port } = new URL(server.url(name));
  return new Promise<{ text: string; error: string }>((resolve) => {
    const parts: Buffer[] = [];
    let error = "";
    const socket = connect({ host: hostname, port: Number(port), allowHalfOpen: false });
    socket.on("data", (part) => parts.push(part));
    socket.on("error", (reason: NodeJS.ErrnoException) => (error = reason.code ?? "unknown"));
    socket.on("close", () => resolve({ text: Buffer.concat(parts).toString("latin1"), error }));
    socket.write(`${method} /${name} HTTP/1.1\r\nhost: x\r\n${headers}\r\n`);
  });
}

/** Until something is so, which must be within seconds. */
async function until(condition: () => boolean | Promise<boolean>) {
  const limit = performance.now() + 5000;
  while (!(await condition())) {
    assert.ok(performance.now() < limit, `still not so: ${condition.toString()}`);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

/** A signal that fires once the answer for a file has stalled. */
function onceStalled(from: FaultyServer, name: string) {
  const controller = new AbortController();
  const record = () => from.requests().find((one) => one.file === name);
  void until(() => record()?.outcome === "stalled").then(() => controller.abort());
  return { signal: controller.signal };
}

const range = (first: number, last: number) => ({ range: `bytes=${first}-${last}` });

test("files come whole with validators, and a second time over the same connection", async () => {
  for (const _ of [1, 2]) {
    const { status, headers, bytes } = await get(server.url("model"));
    assert.equal(status, 200);
    assert.deepEqual(bytes, file);
    assert.match(headers.get("etag") ?? "", /^"[0-9a-f]{32}"$/);
    assert.equal(headers.get("accept-ranges"), "bytes");
    assert.ok(Date.parse(headers.get("last-modified") ?? "") > 0);
    assert.equal(headers.get("content-length"), `${size}`);
  }
  assert.deepEqual((await get(server.url("folder/a b.json"))).bytes, small);
  assert.equal((await get(server.url("nothing"))).status, 404);
  await server.settled();
  assert.deepEqual(
    server
      .requests()
      .map(({ path, file: name, status, bodyBytes }) => [...[path, name, status, bodyBytes]]),
    [
      ["/model", "model", 200, size],
      ["/model", "model", 200, size],
      ["/folder/a b.json", "folder/a b.json", 200, 5000],
      ["/nothing", undefined, 404, "nothing here\n".length],
    ],
  );
  assert.equal(server.bytesSent("model"), 2 * size);
});

test("single ranges are right to the byte", async () => {
  for (const [asked, start, end] of [
    ["bytes=0-0", 0, 1],
    ["bytes=100-199", 100, 200],
    ["bytes=299999-", 299_999, size],
    ["bytes=-10", size - 10, size],
    ["bytes=-999999", 0, size],
    ["bytes=65535-999999999", 65535, size],
  ] as const) {
    const { status, headers, bytes } = await get(server.url("model"), { range: asked });
    assert.equal(status, 206, asked);
    assert.equal(headers.get("content-range"), `bytes ${start}-${end - 1}/${size}`);
    assert.deepEqual(bytes, file.slice(start, end), asked);
  }
  for (const asked of [`bytes=${size}-`, "bytes=-0"]) {
    const { status, headers } = await get(server.url("model"), { range: asked });
    assert.deepEqual([status, headers.get("content-range")], [416, `bytes */${size}`], asked);
  }
  for (const asked of ["bytes=9-3", "bytes=0-1,5-6", "lines=0-1", "bytes=-"])
    assert.equal((await get(server.url("model"), { range: asked })).status, 200, asked);
  const ranges = server.requests().map((request) => request.range);
  assert.deepEqual(ranges.slice(0, 2), ["bytes=0-0", "bytes=100-199"]);
});

test("If-Range wants the strong ETag or the date; If-None-Match gives 304", async () => {
  const { headers } = await get(server.url("model"), {}, { method: "HEAD" });
  assert.equal(headers.get("content-length"), `${size}`);
  const etag = headers.get("etag")!;
  const part = (condition: string) =>
    get(server.url("model"), { ...range(5, 9), "if-range": condition });
  assert.equal((await part(etag)).status, 206);
  assert.equal((await part(headers.get("last-modified")!)).status, 206);
  for (const stale of [`W/${etag}`, '"other"', "Mon, 01 Jan 2001 00:00:00 GMT"]) {
    const { status, bytes } = await part(stale);
    assert.equal(status, 200, stale);
    assert.deepEqual(bytes, file);
  }
  for (const known of [etag, `W/${etag}`, `"x", ${etag}`, "*"]) {
    const { status, bytes } = await get(server.url("model"), { "if-none-match": known });
    assert.deepEqual([status, bytes.length], [304, 0], known);
  }
  assert.equal((await get(server.url("model"), { "if-none-match": '"x"' })).status, 200);
  assert.equal(server.requests()[0]!.bodyBytes, 0); // HEAD
});

test("weak ETags and none on demand; a weak one does not validate a range", async () => {
  const weak = await startFaultyServer({ files: { model: small }, etag: "weak" });
  const bare = await startFaultyServer({ files: { model: small }, etag: "none" });
  try {
    const { headers } = await get(weak.url("model"));
    const etag = headers.get("etag")!;
    assert.match(etag, /^W\/"/);
    const again = await get(weak.url("model"), { ...range(0, 9), "if-range": etag });
    assert.equal(again.status, 200);
    const none = (await get(bare.url("model"))).headers;
    assert.deepEqual([none.get("etag"), none.get("last-modified")], [null, null]);
  } finally {
    await weak.close();
    await bare.close();
  }
});

test("CORS headers, exposed ones and preflights can be had or not", async () => {
  const asked = { origin: "http://page.test", "access-control-request-headers": "if-range" };
  const preflight = { method: "OPTIONS" };
  const open = await get(server.url("model"), asked, preflight);
  assert.equal(open.status, 204);
  assert.equal(open.headers.get("access-control-allow-headers"), "if-range");
  assert.match(
    (await get(server.url("model"))).headers.get("access-control-expose-headers") ?? "",
    /content-range.*etag/,
  );
  assert.equal((await get(server.url("nothing"))).headers.get("access-control-allow-origin"), "*");
  const files = { model: small };
  const shut = await startFaultyServer({ files, cors: false, preflight: false });
  const blind = await startFaultyServer({ files, exposeHeaders: false });
  try {
    assert.equal((await get(shut.url("model"), asked, preflight)).status, 403);
    const { headers } = await get(shut.url("model"));
    assert.equal(headers.get("access-control-allow-origin"), null);
    const hidden = (await get(blind.url("model"))).headers;
    assert.equal(hidden.get("access-control-allow-origin"), "*");
    assert.equal(hidden.get("access-control-expose-headers"), null);
  } finally {
    await shut.close();
    await blind.close();
  }
});

// Of each fault, what a client sees that only fetches: the right bytes from the harmless, and
// something else, or no end, from the others. Each on a file of its own, all at once.
test("every fault does harm exactly where the table says so", async () => {
  const lasting = faultNames.filter((name) => name !== "refuse"); // it would end the others
  const names = Object.fromEntries(lasting.map((name) => [name, file]));
  const many = await startFaultyServer({ files: names });
  try {
    await Promise.all(
      lasting.map(async (name) => {
        const { needs, harmless } = faults[name];
        many.plan(name, [{ name }]);
        const asked = needs === "part" ? range(70_000, 269_999) : {};
        const wanted = needs === "part" ? file.slice(70_000, 270_000) : file;
        const init = name.startsWith("stall") ? onceStalled(many, name) : {};
        const outcome = await get(many.url(name), asked, init);
        const { status, headers, bytes, error } = outcome;
        const told = headers.get("content-range") ?? "";
        const isRight = async () => {
          if (error !== undefined || (status !== 200 && status !== 206)) return false;
          if (status === 200) return Buffer.compare(bytes, file) === 0;
          const [, first, last, total] = /^bytes (\d+)-(\d+)\/(\d+|\*)$/.exec(told) ?? [];
          if (first !== "70000" || (total !== "*" && total !== `${size}`)) return false;
          const expected = wanted.slice(0, Number(last) + 1 - Number(first));
          return Buffer.compare(bytes, expected) === 0;
        };
        assert.equal(await isRight(), harmless, `${name}: ${status} ${told} ${String(error)}`);
        const record = many.requests().find((one) => one.file === name)!;
        assert.equal(record.fault, name);
        // A fault is used up: the next request is well, except where the file has changed.
        const next = await get(many.url(name), asked);
        const changes = name.startsWith("change");
        assert.equal(Buffer.compare(next.bytes, wanted) === 0, !changes, `after ${name}`);
      }),
    );
    assert.deepEqual(many.unmet(), []);
  } finally {
    await many.close();
  }
});

test("connections end at the byte that the plan names, and records say so", async () => {
  const cases: [Fault, number, string][] = [
    [{ name: "drop", at: 1000 }, 1000, "broken"],
    [{ name: "drop", after: 0 }, 0, "broken"],
    [{ name: "drop", at: 99_999, chunked: true }, 99_999, "broken"],
    [{ name: "drop-at-chunk-boundary" }, 131_072, "broken"],
    [{ name: "drop-at-chunk-boundary", bytes: 1000, chunked: true }, 150_000, "broken"],
    [{ name: "drop-inside-chunk" }, 98_304, "broken"],
    [{ name: "drop-inside-file-header" }, 20, "broken"],
    [{ name: "drop-before-first-byte" }, 0, "broken"],
    [{ name: "drop-after-last-byte" }, size, "broken"],
    [{ name: "truncate-full-length", at: 7 }, 7, "broken"],
  ];
  for (const [fault, bytes, outcome] of cases) {
    server.reset();
    const met = await meet(fault);
    const label = JSON.stringify(fault);
    assert.equal(met.status, 200, label);
    assert.ok(met.error, label);
    assert.deepEqual(met.bytes, file.slice(0, bytes), label);
    assert.deepEqual([met.record.bodyBytes, met.record.outcome], [bytes, outcome], label);
  }
  for (const [fault, bytes] of [
    [{ name: "truncate", at: 1234 }, 1234],
    [{ name: "truncate-chunked" }, size / 2],
    [{ name: "truncate-no-length", after: 99 }, 99],
    [{ name: "empty-body" }, 0],
  ] as [Fault, number][]) {
    server.reset();
    const met = await meet(fault);
    assert.equal(met.error, undefined, fault.name);
    assert.deepEqual(met.bytes, file.slice(0, bytes), fault.name);
    assert.equal(met.record.bodyBytes, bytes);
  }
});

test("on the wire: half a header, no byte, RST, chunks, bytes behind the end", async () => {
  const meetRaw = async (fault: Fault) => {
    server.reset();
    server.plan("model", [fault]);
    const { text, error } = await raw("model", "GET", "connection: close\r\n");
    const end = text.indexOf("\r\n\r\n");
    return {
      error,
      head: text.slice(0, end < 0 ? undefined : end),
      body: text.slice(end + 4),
      end,
    };
  };
  const half = await meetRaw({ name: "drop-inside-http-header" });
  assert.match(half.head, /^HTTP\/1\.1 200 OK\r\n/);
  assert.deepEqual([half.end, half.error, server.requests()[0]!.status], [-1, "", 0]);
  const none = await meetRaw({ name: "no-answer" });
  assert.deepEqual([none.head, none.error], ["", ""]);
  assert.equal((await meetRaw({ name: "reset", at: 10 })).error, "ECONNRESET");
  const cut = await meetRaw({ name: "reset-inside-http-header" });
  assert.deepEqual([cut.end, cut.error], [-1, "ECONNRESET"]);

  const text = Buffer.from(file).toString("latin1");
  const last = text.slice(-9);
  for (const [fault, isRight] of [
    [{ name: "drop", at: 5, chunked: true }, (body) => body === `10000\r\n${text.slice(0, 5)}`],
    [
      { name: "drop", at: 65536, chunked: true },
      (body) => body === `10000\r\n${text.slice(0, 65536)}\r\n`,
    ],
    [{ name: "drop-after-last-byte" }, (body) => body.endsWith(`${last}\r\n`)],
    [{ name: "chunked" }, (body) => body.endsWith(`${last}\r\n0\r\n\r\n`)],
    [{ name: "bytes-behind-end", bytes: 3 }, (body) => body === `${text}ZZZ`],
    [{ name: "length-too-short" }, (body) => body === text],
  ] as [Fault, (body: string) => boolean][])
    assert.ok(isRight((await meetRaw(fault)).body), JSON.stringify(fault));
  for (const [fault, length] of [
    [{ name: "length-too-short", bytes: 1 }, "299999"],
    [{ name: "length-too-long", bytes: 1 }, "300001"],
    [{ name: "extra-bytes", bytes: 1 }, "300001"],
    [{ name: "bytes-behind-end" }, "300000"],
    [{ name: "truncate-full-length" }, "300000"],
    [{ name: "no-length" }, undefined],
    [{ name: "chunked" }, undefined],
  ] as [Fault, string | undefined][]) {
    const [, found] = /^content-length: (\d+)$/m.exec((await meetRaw(fault)).head) ?? [];
    assert.equal(found, length, fault.name);
  }
});

test("a stalled answer waits for the client to go", async () => {
  for (const [name, status, bytes] of [
    ["stall", 200, size / 2],
    ["stall-before-header", 0, 0],
    ["stall-inside-http-header", 0, 0],
    ["stall-before-first-byte", 200, 0],
    ["stall-after-last-byte", 200, size],
  ] as [FaultName, number, number][]) {
    server.reset();
    server.plan("model", [{ name }]);
    const { error } = await get(server.url("model"), {}, onceStalled(server, "model"));
    assert.equal((error as Error).name, "AbortError");
    const record = server.requests()[0]!;
    assert.deepEqual([record.status, record.bodyBytes], [status, bytes], name);
    await until(() => record.outcome !== "stalled");
    assert.equal(record.outcome, "hung up", name);
  }
});

test("a client that leaves in the middle hung up", async () => {
  server.plan("model", [{ name: "slow-drip", bytes: 1000, ms: 20 }]);
  const controller = new AbortController();
  const response = await fetch(server.url("model"), { signal: controller.signal });
  await response.body!.getReader().read();
  controller.abort();
  await server.settled();
  const [record] = server.requests();
  assert.equal(record!.outcome, "hung up");
  assert.ok(record!.bodyBytes >= 1000 && record!.bodyBytes < size);
});

test("altered bytes: one bit, a block, once or always", async () => {
  const flipped = (bytes: Uint8Array) =>
    [...file.keys()].filter((index) => bytes[index] !== file[index]);
  server.plan("model", [{ name: "alter", at: 77_777, times: 2 }]);
  const altered = (await get(server.url("model"))).bytes;
  assert.deepEqual(flipped(altered), [77_777]);
  assert.equal(altered[77_777]! ^ file[77_777]!, 0x10);
  // An answer without that byte does not use the fault up.
  const before77k = await get(server.url("model"), range(0, 77_776));
  assert.deepEqual(before77k.bytes, file.slice(0, 77_777));
  const [one] = (await get(server.url("model"), range(77_777, 77_777))).bytes;
  assert.equal(one, file[77_777]! ^ 0x10);
  assert.deepEqual((await get(server.url("model"))).bytes, file);

  server.plan("model", [{ name: "alter", at: 5, times: Infinity }]);
  for (const _ of [1, 2, 3]) assert.deepEqual(flipped((await get(server.url("model"))).bytes), [5]);
  server.plan("model", [{ name: "garbled-block", at: 10, bytes: 3 }]);
  assert.deepEqual(flipped((await get(server.url("model"))).bytes), [10, 11, 12]);
});

test("redirects lead to the other origin, where plans are their own", async () => {
  for (const status of [301, 302, 307, 308] as const) {
    server.reset();
    const { bytes } = await meet({ name: `redirect-${status}` }, range(10, 19));
    assert.deepEqual(bytes, file.slice(10, 20));
    assert.deepEqual(
      server.requests().map((one) => [one.origin, one.status, one.range]),
      [
        ["main", status, "bytes=10-19"],
        ["other", 206, "bytes=10-19"],
      ],
    );
  }
  server.reset();
  server.plan("model", [{ name: "drop", at: 3 }], { signed: true });
  const { bytes, error } = await meet({ name: "redirect-same-origin" });
  assert.ok(error);
  assert.equal(bytes.length, 3);
  assert.deepEqual(
    server.requests().map((one) => one.origin),
    ["main", "main"],
  );
  server.reset();
  assert.deepEqual((await meet({ name: "redirect-302", to: "/folder/a%20b.json" })).bytes, small);
  server.reset();
  assert.equal((await meet({ name: "redirect-missing" })).status, 404);
  server.reset();
  assert.match(String((await meet({ name: "redirect-loop" })).error), /fetch failed/);
  assert.ok(server.requests().length > 10);
});

test("a signed address expires by use and by time; the redirect gives a fresh one", async () => {
  const always: Fault = { name: "redirect-signed", uses: 2, ms: 60_000, times: Infinity };
  server.plan("model", [always]);
  const where = async () =>
    (await fetch(server.url("model"), { redirect: "manual" })).headers.get("location")!;
  const address = await where();
  assert.equal(new URL(address).origin, server.origins.other);
  assert.equal((await get(address, range(0, 9))).status, 206);
  assert.equal((await get(address)).status, 200);
  assert.equal((await get(address)).status, 403);
  assert.deepEqual((await get(server.url("model"))).bytes, file);

  server.plan("model", [{ ...always, uses: Infinity, ms: 400 }]);
  const brief = await where();
  assert.equal((await get(brief)).status, 200);
  await until(async () => (await get(brief)).status === 403);
  const forged = new URL(brief);
  forged.searchParams.set("signature", "9999");
  assert.equal((await get(forged.href)).status, 404);
});

test("compressed answers decode to the file; hidden ones hide their headers", async () => {
  const { headers, bytes } = await meet({ name: "compress" });
  assert.equal(headers.get("content-encoding"), "gzip");
  assert.notEqual(headers.get("content-length"), `${size}`);
  assert.deepEqual(bytes, file);
  server.reset();
  server.plan("model", [{ name: "compress" }]);
  const { text } = await raw("model", "GET", "range: bytes=0-99\r\nconnection: close\r\n");
  assert.match(text, /^HTTP\/1\.1 206 [^]*content-range: bytes 0-99\/300000\r\n/);
  const packed = Buffer.from(text.slice(text.indexOf("\r\n\r\n") + 4), "latin1");
  assert.deepEqual(new Uint8Array(gunzipSync(packed)), file.slice(0, 100));
  for (const name of ["compress-whole", "compress-hidden"] as const) {
    server.reset();
    const met = await meet({ name }, range(0, 99));
    assert.equal(met.status, 200);
    assert.deepEqual(met.bytes, file);
    const exposed = met.headers.get("access-control-expose-headers");
    assert.equal(exposed === "", name === "compress-hidden");
  }
});

test("ranges can be ignored, mislabelled, shifted, cut and packed in parts", async () => {
  const asked = range(1000, 1999);
  const of = async (fault: Fault) => {
    server.reset();
    const { status, headers, bytes } = await meet(fault, asked);
    return {
      status,
      range: headers.get("content-range"),
      bytes,
      type: headers.get("content-type"),
    };
  };
  const right = file.slice(1000, 2000);
  const ignored = await of({ name: "ignore-range" });
  assert.deepEqual([ignored.status, ignored.range, ignored.bytes], [200, null, file]);
  const wrong = await of({ name: "wrong-content-range", bytes: 5 });
  assert.deepEqual([wrong.range, wrong.bytes], ["bytes 1005-2004/300000", right]);
  assert.deepEqual([(await of({ name: "missing-content-range" })).range], [null]);
  assert.equal((await of({ name: "wrong-total" })).range, "bytes 1000-1999/300001");
  assert.equal((await of({ name: "unknown-total" })).range, "bytes 1000-1999/*");
  const honest = await of({ name: "shifted-range", bytes: 7 });
  assert.deepEqual(
    [honest.range, honest.bytes],
    ["bytes 1007-2006/300000", file.slice(1007, 2007)],
  );
  const lying = await of({ name: "shifted-bytes", bytes: -7 });
  assert.deepEqual([lying.range, lying.bytes], ["bytes 1000-1999/300000", file.slice(993, 1993)]);
  const cut = await of({ name: "shorter-range" });
  assert.deepEqual([cut.range, cut.bytes], ["bytes 1000-1499/300000", file.slice(1000, 1500)]);
  const parts = await of({ name: "multipart-range" });
  assert.deepEqual([parts.status, parts.range], [206, null]);
  assert.match(parts.type ?? "", /^multipart\/byteranges; boundary=/);
  assert.ok(Buffer.from(parts.bytes).includes(Buffer.from(right)));
  assert.equal((await of({ name: "range-not-satisfiable" })).range, "bytes */300000");
});

test("a file changes: before, midway, in length, without notice, within an answer", async () => {
  const etag = (await get(server.url("model"))).headers.get("etag")!;
  const next = file.map((byte) => byte ^ 0xa5);
  const resume = (at: number) =>
    get(server.url("model"), { range: `bytes=${at}-`, "if-range": etag });

  server.reset();
  const whole = await meet({ name: "change" }, { range: "bytes=5-", "if-range": etag });
  assert.deepEqual([whole.status, whole.bytes], [200, next]);
  assert.notEqual(whole.headers.get("etag"), etag);

  server.reset();
  const midway = await meet({ name: "change-midway", at: 1000 });
  assert.deepEqual(midway.bytes, file.slice(0, 1000));
  const rest = await resume(1000);
  assert.deepEqual([rest.status, rest.bytes], [200, next]);

  server.reset();
  await meet({ name: "change-length-midway", bytes: 5 });
  assert.equal((await resume(1000)).bytes.length, size + 5);
  server.reset();
  assert.equal((await meet({ name: "change-length", bytes: -5 })).bytes.length, size - 5);

  server.reset();
  const silent = await meet({ name: "change-unannounced" });
  assert.deepEqual([silent.headers.get("etag"), silent.bytes], [etag, next]);
  assert.deepEqual((await resume(9)).bytes, next.slice(9));

  server.reset();
  const mixed = await meet({ name: "mixed-versions", at: 100_000 });
  assert.deepEqual(mixed.bytes.slice(0, 100_000), file.slice(0, 100_000));
  assert.deepEqual(mixed.bytes.slice(100_000), next.slice(100_000));
  server.reset();
  assert.deepEqual((await get(server.url("model"))).bytes, file, "reset brings the file back");
});

test("refusals have their status and headers", async () => {
  for (const name of faultNames.filter((one) => one.startsWith("status-"))) {
    server.reset();
    const { status, headers, record } = await meet({ name });
    assert.equal(status, Number(name.slice(7, 10)));
    assert.equal(record.status, status);
    const wait = headers.get("retry-after");
    if (name === "status-429" || name === "status-503") assert.equal(wait, "1");
    else if (name === "status-429-date") assert.ok(Date.parse(wait!) - Date.now() < 2000);
    else assert.equal(wait, null, name);
  }
  server.reset();
  const limited = await meet({ name: "hub-rate-limit", seconds: 55 });
  assert.deepEqual([limited.status, limited.headers.get("retry-after")], [429, null]);
  assert.match(limited.headers.get("ratelimit") ?? "", /;t=55$/);
  server.reset();
  assert.equal((await meet({ name: "unasked-304" })).status, 304);
});

test("impostors: pages and a pointer", async () => {
  const page = await meet({ name: "html-page" });
  assert.match(page.headers.get("content-type") ?? "", /^text\/html/);
  server.reset();
  const disguised = await meet({ name: "html-page-unlabelled" });
  assert.equal(disguised.headers.get("content-type"), "application/octet-stream");
  assert.match(Buffer.from(disguised.bytes).toString(), /^<!doctype html>/);
  server.reset();
  const pointer = Buffer.from((await meet({ name: "lfs-pointer" })).bytes).toString();
  assert.match(pointer, /^version .*\noid sha256:[0-9a-f]{64}\nsize 300000\n$/);
});

test("slow answers take their time", async () => {
  for (const fault of [
    { name: "slow-header", ms: 60 },
    { name: "slow-first-byte", ms: 60 },
    { name: "slow-drip", bytes: 100_000, ms: 30 },
  ] as Fault[]) {
    server.reset();
    const begin = performance.now();
    assert.deepEqual((await meet(fault)).bytes, file);
    assert.ok(performance.now() - begin >= 55, fault.name); // timers may be a little early
  }
});

test("connections are refused for a while, then work again", async () => {
  const shaky = await startFaultyServer({ files: { model: small } });
  try {
    shaky.plan("model", [{ name: "refuse", ms: 300 }]);
    assert.ok((await get(shaky.url("model"))).error);
    const { error } = await get(shaky.url("model"));
    assert.match(String((error as Error).cause), /ECONNREFUSED/);
    assert.equal(shaky.requests().length, 1);
    await until(async () => (await get(shaky.url("model"))).status === 200);
    assert.equal(shaky.requests().length, 2);
    shaky.refuse(60_000); // close() does not wait for it
  } finally {
    await shaky.close();
  }
});

test("plans: a function decides, * stands for all files, unmet faults are told", async () => {
  server.plan("model", ({ count, headers }) =>
    headers["range"] === undefined && count < 2 ? { name: "status-500" } : undefined,
  );
  server.plan("*", [{ name: "status-404", times: 3 }]);
  const statuses = [];
  for (const headers of [range(0, 0), {}, {}, {}])
    statuses.push((await get(server.url("model"), headers)).status);
  assert.deepEqual(statuses, [404, 500, 404, 404]);
  server.plan("model", [{ name: "drop" }, { name: "status-503", times: 2 }]);
  await get(server.url("model"));
  await get(server.url("model"));
  assert.deepEqual(server.unmet(), [{ name: "status-503", times: 2 }]);
  assert.throws(
    () => server.plan("model", [{ name: "drop", ms: 5 }]),
    /"drop" takes times, at, after, chunked, not ms/,
  );
  assert.throws(
    () => server.plan("model", [{ name: "dorp" as FaultName }]),
    /unknown fault "dorp"/,
  );
});

test("hold lets so many bytes pass, over all answers, and not one more until release", async () => {
  const held = server.hold(312_345);
  const outcomes = [1, 2, 3, 4].map(() => get(server.url("model")));
  assert.equal(await held, true);
  await new Promise((resolve) => setTimeout(resolve, 30));
  assert.equal(server.bytesSent(), 312_345);
  server.release();
  for (const outcome of outcomes) assert.deepEqual((await outcome).bytes, file);
  await server.settled();
  assert.equal(server.bytesSent(), 4 * size);
});

test("what fails in the server itself breaks the connection and is thrown by close", async () => {
  const unreadable = { ...bytesContent(small), read: () => Promise.reject(new Error("no disk")) };
  const broken = await startFaultyServer({ files: { model: unreadable } });
  assert.ok((await get(broken.url("model"))).error);
  await broken.settled();
  assert.equal(broken.requests()[0]!.outcome, "broken");
  await assert.rejects(broken.close(), /no disk/);
});

test("close frees ports and connections, of stalled and held answers, too", async () => {
  const count = (kind: RegExp) =>
    process.getActiveResourcesInfo().filter((name) => kind.test(name)).length;
  await until(() => count(/^TCPServer/) === 2); // the server of this file
  const sockets = count(/^TCPSocket/);
  const doomed = await startFaultyServer({ files: { model: file } });
  doomed.plan("model", [{ name: "stall" }, { name: "slow-header", ms: 60_000 }]);
  const held = doomed.hold(200_000);
  const outcomes = [1, 2, 3].map(() => get(doomed.url("model")));
  await until(() => doomed.bytesSent() === 200_000 && doomed.requests().length === 3);
  assert.equal(await held, true);
  const never = doomed.hold(1e9);
  await doomed.close();
  assert.equal(await never, false);
  for (const outcome of outcomes) assert.ok((await outcome).error);
  assert.deepEqual(
    doomed.requests().map(({ outcome }) => outcome),
    ["broken", "broken", "broken"],
  );
  await until(() => count(/^TCPServer/) === 2 && count(/^TCPSocket/) <= sockets);
});

test("a new version that a test puts there has another ETag", async () => {
  const shop = await startFaultyServer({ files: { model: small } });
  try {
    const old = (await get(shop.url("model"))).headers.get("etag");
    shop.put("model", file);
    const { headers, bytes } = await get(shop.url("model"));
    assert.deepEqual(bytes, file);
    assert.notEqual(headers.get("etag"), old);
  } finally {
    await shop.close();
  }
});
