// "npm run dev": the server serves the files of its folders and nothing else.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, readFileSync } from "node:fs";
import { get } from "node:http";
import { join } from "node:path";
import { describe, test } from "node:test";
import { startServer } from "../scripts/server.mjs";
import { root, samplePath } from "./harness.mjs";

/** Not with fetch, which would normalise the path. */
const rawGet = (port, path, headers = {}) =>
  new Promise((resolve, reject) => {
    get({ host: "127.0.0.1", port, path, headers }, (response) => {
      const parts = [];
      response.on("data", (part) => parts.push(part));
      response.on("end", () =>
        resolve({
          status: response.statusCode,
          headers: response.headers,
          body: Buffer.concat(parts),
        }),
      );
    }).on("error", reject);
  });

describe("the development server", () => {
  test("serves files of its folders with their types, whole and in ranges", async () => {
    const server = await startServer({ mounts: { "/samples/": samplePath("") } });
    const file = readFileSync(samplePath("sample-1.png"));
    try {
      const whole = await rawGet(server.port, "/samples/sample-1.png");
      assert.equal(whole.status, 200);
      assert.equal(whole.headers["content-type"], "image/png");
      assert.deepEqual(whole.body, file);
      for (const [range, start, end] of [
        ["bytes=100-199", 100, 200],
        ["bytes=8000-", 8000, file.length],
        ["bytes=-10", file.length - 10, file.length],
        ["bytes=0-999999", 0, file.length],
      ]) {
        const part = await rawGet(server.port, "/samples/sample-1.png", { range });
        assert.equal(part.status, 206, range);
        assert.equal(part.headers["content-range"], `bytes ${start}-${end - 1}/${file.length}`);
        assert.deepEqual(part.body, file.subarray(start, end), range);
      }
      assert.equal(
        (await rawGet(server.port, "/samples/sample-1.png", { range: `bytes=${file.length}-` }))
          .status,
        416,
      );
      assert.equal((await rawGet(server.port, "/samples/none.png")).status, 404);
    } finally {
      await server.close();
    }
  });

  test("serves nothing from outside of them", async () => {
    const server = await startServer({ mounts: { "/samples/": samplePath("") } });
    try {
      assert.ok(existsSync(join(root, "package.json")));
      for (const path of [
        "/",
        "/package.json",
        "/samples/../../package.json",
        "/samples/..%2f..%2fpackage.json",
        "/samples/%2e%2e/%2e%2e/package.json",
        "/samples/%00",
        "/samples/%",
        "/samplesx",
      ]) {
        assert.equal((await rawGet(server.port, path)).status, 404, path);
      }
    } finally {
      await server.close();
    }
  });

  for (const isolated of [true, false]) {
    test(`npm run dev opens the playground ${isolated ? "" : "not "}isolated`, async () => {
      assert.ok(
        existsSync(join(root, "dist", "index.mjs")),
        "dist/ is missing: run npm run build first",
      );
      const child = spawn(process.execPath, [
        join(root, "scripts", "dev.mjs"),
        "--port",
        "0",
        ...(isolated ? [] : ["--no-isolation"]),
      ]);
      try {
        const [output] = await once(child.stdout, "data");
        const url = /http:\/\/127\.0\.0\.1:\d+\//.exec(String(output))[0];
        const response = await fetch(url);
        assert.equal(response.status, 200);
        assert.match(await response.text(), /<title>Tiny-VLM/);
        assert.equal(
          response.headers.get("cross-origin-embedder-policy"),
          isolated ? "require-corp" : null,
        );
        assert.equal(
          response.headers.get("cross-origin-opener-policy"),
          isolated ? "same-origin" : null,
        );
        const wasm = await fetch(new URL("/dist/wasm/tiny-vlm-simd.wasm", url));
        assert.equal(wasm.headers.get("content-type"), "application/wasm");
        await wasm.body.cancel();
      } finally {
        child.kill();
        await once(child, "exit");
      }
    });
  }
});
