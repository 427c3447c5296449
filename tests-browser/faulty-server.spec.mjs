// The faulty server of the tests as pages meet it: what CORS lets them read, and that faults do in
// a browser what they do in Node.
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { faultNames, faults } from "../js-sdk/test/faults.mjs";
import { startFaultyServer } from "../js-sdk/test/faulty-server.mjs";
import { bytesContent } from "../js-sdk/test/http-answers.mjs";
import { engine, launchBrowser, withPage } from "./harness.mjs";

const size = 300_000;
const file = Uint8Array.from({ length: size }, (_, index) => (index * 2654435761) >>> 13);
const page = bytesContent(Buffer.from("<!doctype html><title>page</title>"), { type: "text/html" });

/** Runs `body` with a page of another origin than the servers'. */
async function withOtherOrigin(browser, body) {
  const host = await startFaultyServer({ files: { page } });
  try {
    return await withPage(browser, host.url("page"), body);
  } finally {
    await host.close();
  }
}

/** What a page gets: status, headers that it may read, bytes in base 64; or `error`. */
const fetchOn = (tab, url, headers = {}, ms = 10_000) =>
  tab.evaluate(
    async ([address, asked, timeout]) => {
      try {
        const signal = AbortSignal.timeout(timeout);
        const response = await fetch(address, { headers: asked, signal, cache: "no-store" });
        const bytes = new Uint8Array(await response.arrayBuffer());
        const text = bytes.reduce((all, byte) => all + String.fromCharCode(byte), "");
        const { status } = response;
        return { status, headers: Object.fromEntries(response.headers), body: btoa(text) };
      } catch (error) {
        return { error: error.name };
      }
    },
    [url, headers, ms],
  );

/** Whether a page got the file, or the part of it that it asked for (70000 and on). */
function isRight({ status, headers, body = "" }) {
  const bytes = Buffer.from(body, "base64");
  if (status === 200) return bytes.equals(file);
  const [, last, total] = /^bytes 70000-(\d+)\/(.*)$/.exec(headers?.["content-range"] ?? "") ?? [];
  if (status !== 206 || (total !== `${size}` && total !== "*")) return false;
  return bytes.equals(file.subarray(70_000, Number(last) + 1));
}

// Where the connection has served before, browsers ask again by themselves.
const { askedAgain, unnoticed = [] } = engine;

describe("the faulty server and pages", () => {
  let browser;
  before(async () => {
    browser = await launchBrowser();
  });
  after(() => browser.close());

  test("faults do harm where the table says so, but for CORS and what browsers mend", async () => {
    const server = await startFaultyServer({ files: { model: file } });
    try {
      await withOtherOrigin(browser, async (tab) => {
        for (const name of faultNames.filter((one) => one !== "refuse")) {
          server.reset();
          await fetchOn(tab, server.url("model"), { range: "bytes=0-0" }); // leaves a connection
          server.plan("model", [{ name }]);
          const { needs, harmless } = faults[name];
          const asked = needs === "part" ? { range: "bytes=70000-269999" } : {};
          const ms = name.startsWith("stall") ? 600 : 10_000;
          const got = await fetchOn(tab, server.url("model"), asked, ms);
          const isMended = askedAgain.includes(name);
          const isHarmless = harmless || unnoticed.includes(name);
          const expected = isMended || (isHarmless && name !== "no-cors");
          assert.equal(isRight(got), expected, `${name}: ${got.status} ${got.error}`);
          assert.deepEqual(server.unmet(), [], name);
          if (isMended) assert.equal(server.requests().length, 3, name);
        }
      });
    } finally {
      await server.close();
    }
  });

  test("CORS: preflights, exposed headers, and none of them", async () => {
    const files = { model: file };
    const open = await startFaultyServer({ files });
    const strict = await startFaultyServer({ files, preflight: false });
    const closed = await startFaultyServer({ files, cors: false });
    const methods = (server) => server.requests().map(({ method }) => method);
    try {
      await withOtherOrigin(browser, async (tab) => {
        const { headers } = await fetchOn(tab, open.url("model"));
        assert.match(headers.etag, /^"[0-9a-f]+"$/);
        assert.equal(headers["accept-ranges"], "bytes");
        open.reset();
        const conditional = { range: "bytes=70000-70009", "if-range": headers.etag };
        const part = await fetchOn(tab, open.url("model"), conditional);
        assert.deepEqual([part.status, isRight(part)], [206, true]);
        assert.deepEqual(methods(open), ["OPTIONS", "GET"]);

        open.plan("model", [{ name: "headers-hidden" }, { name: "compress-hidden" }]);
        const hidden = await fetchOn(tab, open.url("model"));
        assert.deepEqual(Object.keys(hidden.headers).sort(), [
          ...["content-length", "content-type", "last-modified"],
        ]);
        const packed = await fetchOn(tab, open.url("model"));
        assert.ok(isRight(packed));
        assert.equal(packed.headers["content-encoding"], undefined);
        assert.notEqual(packed.headers["content-length"], `${size}`);

        assert.ok(isRight(await fetchOn(tab, strict.url("model"))));
        assert.ok((await fetchOn(tab, strict.url("model"), conditional)).error);
        assert.deepEqual(methods(strict), ["GET", "OPTIONS"]);
        assert.ok((await fetchOn(tab, closed.url("model"))).error);
        assert.deepEqual(methods(closed), ["GET"]);
      });
    } finally {
      await Promise.all([open.close(), strict.close(), closed.close()]);
    }
  });
});
