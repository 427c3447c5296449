// The killer itself, on a script that downloads a file piece by piece into another.

import assert from "node:assert/strict";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, beforeEach, test } from "node:test";
import { startFaultyServer, type FaultyServer } from "./faulty-server.mjs";
import { runAndKill, seededIntegers } from "./kill-points.mjs";

const file = Uint8Array.from({ length: 400_000 }, (_, index) => (index * 31) >> 4);
const source = `
import { appendFile } from "node:fs/promises";
const [url, copy] = process.argv.slice(2);
if (url === "wait") setInterval(() => {}, 1000);
else {
  const response = await fetch(url);
  console.log("begun " + process.env.MARK);
  for await (const piece of response.body) await appendFile(copy, piece);
  console.error("done");
  process.exitCode = 7;
}
`;
let folder: string;
let script: string;
let server: FaultyServer;

before(async () => {
  folder = await mkdtemp(join(tmpdir(), "tiny-vlm-kill-"));
  script = join(folder, "copy.mjs");
  await writeFile(script, source);
  server = await startFaultyServer({ files: { file } });
});
beforeEach(() => server.reset());
after(async () => {
  await server.close();
  await rm(folder, { recursive: true });
});

const copied = async (name: string) => {
  const bytes = await readFile(join(folder, name)).catch(() => new Uint8Array());
  return new Uint8Array(bytes);
};
const copy = (name: string) => ({
  ...{ script, args: [server.url("file"), join(folder, name)], env: { MARK: "here" }, server },
});

test("a script that is not killed runs to its end, and tells how", async () => {
  for (const kill of [undefined, { afterBytes: 1e9 }, { afterMs: 60_000 }]) {
    server.reset();
    const name = `whole-${JSON.stringify(kill)?.length}`;
    const run = await runAndKill({ ...copy(name), ...(kill ? { kill } : {}) });
    assert.deepEqual([run.killed, run.code, run.signal], [false, 7, null]);
    assert.deepEqual([run.stdout, run.stderr], ["begun here\n", "done\n"]);
    assert.equal(run.bytesServed, file.length);
    assert.deepEqual(await copied(name), file);
  }
});

test("killed after so many bytes: not one more was sent, a prefix is there", async () => {
  for (const afterBytes of seededIntegers({ seed: 3, count: 4, from: 0, to: file.length })) {
    const name = `killed-${afterBytes}`;
    const run = await runAndKill({ ...copy(name), kill: { afterBytes, lingerMs: 20 } });
    assert.deepEqual([run.killed, run.code, run.signal], [true, null, "SIGKILL"]);
    assert.equal(run.bytesServed, afterBytes);
    assert.deepEqual(
      run.requests.map(({ status, bodyBytes, outcome }) => [status, bodyBytes, outcome]),
      [[200, afterBytes, "hung up"]],
    );
    const prefix = await copied(name);
    assert.ok(prefix.length <= afterBytes);
    assert.deepEqual(prefix, file.slice(0, prefix.length));
    assert.doesNotMatch(run.stderr, /done/);
  }
  const { bytesServed } = await runAndKill(copy("after"));
  assert.equal(bytesServed, file.length, "the server serves on");
});

test("killed after a time, or once a text was written", async () => {
  const run = await runAndKill({ script, args: ["wait"], kill: { afterMs: 60 } });
  assert.deepEqual([run.killed, run.bytesServed, run.requests], [true, 0, []]);
  assert.ok(run.ms >= 55); // timers may be a little early
  server.plan("file", [{ name: "stall", at: 1000 }]);
  const told = await runAndKill({ ...copy("told"), kill: { afterOutput: "begun" } });
  assert.deepEqual([told.killed, told.bytesServed, told.stdout], [true, 1000, "begun here\n"]);
});

test("a script that hangs is killed; a number of bytes without server is refused", async () => {
  await assert.rejects(
    runAndKill({ script, args: ["wait"], timeoutMs: 80 }),
    /copy\.mjs neither ended nor came to its kill point within 80 ms/,
  );
  await assert.rejects(runAndKill({ script, kill: { afterBytes: 5 } }), TypeError);
});

test("seeded numbers repeat, differ by seed and stay in their range", () => {
  const options = { seed: 1, count: 1000, from: 10, to: 20 };
  const numbers = seededIntegers(options);
  assert.deepEqual(seededIntegers(options), numbers);
  assert.notDeepEqual(seededIntegers({ ...options, seed: 2 }), numbers);
  assert.deepEqual([Math.min(...numbers), Math.max(...numbers)], [10, 19]);
});
