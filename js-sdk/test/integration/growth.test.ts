// The system refuses the engine more memory, at each step at which it grows: whatever waits ends
// with `out_of_memory`, and the next load works.

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import * as fs from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { pathToFileURL } from "node:url";
import { dist, first, model, options } from "./built-package.js";

let folder: string;
before(async () => {
  folder = await fs.mkdtemp(join(tmpdir(), "tiny-vlm-growth-"));
});
after(() => fs.rm(folder, { recursive: true }));

// Runs before the package's worker. GROWTHS is a file that gets a letter for each growth; REFUSE
// says at which one refusals begin, and how many there are.
const refusing = `
import { appendFileSync } from "node:fs";
const { grow } = WebAssembly.Memory.prototype;
const { GROWTHS, REFUSE } = process.env;
const [at, times] = REFUSE ? REFUSE.split(" ").map(Number) : [Infinity, 0];
let count = 0;
WebAssembly.Memory.prototype.grow = function (pages) {
  const number = count++;
  if (GROWTHS) appendFileSync(GROWTHS, ".");
  if (number >= at && number < at + times)
    throw new RangeError("WebAssembly.Memory.grow(): Unable to grow instance memory");
  return grow.call(this, pages);
};
`;

const script = (entry: string) => `
import { existsSync, readFileSync, rmSync } from "node:fs";
import { TinyVLM } from ${JSON.stringify(entry)};
const [model, image, variant, workers, log] = process.argv.slice(2);
const late = (what) =>
  new Promise((_, reject) => setTimeout(reject, 60_000, new Error(what + " never ended")).unref());
const within = (promise, what) => Promise.race([promise, late(what)]);
const codeOf = (promise, what) =>
  within(promise, what).then((value) => ({ value }), (error) => ({ code: error.code, error }));
const typed = ({ code, error }, ...allowed) => {
  if (error && !allowed.includes(code)) throw error;
  return code;
};
// The steps of a user, of which each one may need memory.
async function use() {
  const options = { variant, threads: 2, imageSize: 512, workerUrl: workers };
  const ended = await codeOf(TinyVLM.load(model, options), "load");
  if (ended.error) return { at: "load", code: typed(ended, "out_of_memory") };
  const vlm = ended.value;
  const ask = (question, of = image) => vlm.ask(of, question, { maxTokens: 6 });
  // Two at once: both end.
  const both = await Promise.all(
    ["What is this?", "And this?"].map((question) => codeOf(ask(question), question)));
  const codes = both.map((each) => typed(each, "out_of_memory"));
  const chat = await codeOf(vlm.chat().ask("Hello?", { maxTokens: 6 }), "chat");
  codes.push(typed(chat, "out_of_memory"));
  // Many small allocations, which end the engine where there is no memory for one.
  const long = await codeOf(ask("Hello? ".repeat(140_000), null), "a long question");
  codes.push(typed(long, "out_of_memory", "context_full"));
  const choices = Array.from({ length: 1_500 }, (_, index) => "this is number " + index);
  const form = { responseFormat: { choices }, maxTokens: 2 };
  const chosen = await codeOf(vlm.ask(null, "Which?", form), "one of many texts");
  codes.push(typed(chosen, "out_of_memory"));
  const again = await codeOf(ask("Hello?", null), "the question after it");
  const alive = typed(again, "out_of_memory") === undefined;
  await within(vlm.dispose(), "dispose");
  const text = [...both, again].map(({ value }) => value?.text);
  return { at: codes.includes("out_of_memory") ? "ask" : "nowhere", codes, alive, text };
}
process.env.GROWTHS = log;
const wanted = await use();
const growths = existsSync(log) ? readFileSync(log, "utf8").length : 0;
rmSync(log, { force: true });
delete process.env.GROWTHS;
const rows = [];
for (let at = 0; at < growths; at++)
  for (const times of [1, 1e9]) {
    process.env.REFUSE = at + " " + times;
    const refused = await use();
    delete process.env.REFUSE;
    rows.push({ at, times, ...refused });
  }
const after = await use();
console.log(JSON.stringify({ growths, wanted, after, rows }));
`;

interface Used {
  at: "load" | "ask" | "nowhere";
  alive?: boolean;
  text?: (string | null)[];
}

for (const variant of ["simd", "simd-mt"])
  test(
    `${variant}: memory is refused at each step`,
    { ...options, timeout: 600_000 },
    async (t) => {
      const main = join(folder, "use.mjs");
      await fs.writeFile(join(folder, "refusing.mjs"), refusing);
      for (const name of ["node-worker.mjs", "node-worker-mt.mjs"]) {
        const worker = JSON.stringify(pathToFileURL(join(dist, name)).href);
        await fs.writeFile(join(folder, name), `import "./refusing.mjs";\nimport ${worker};\n`);
      }
      await fs.writeFile(main, script(pathToFileURL(join(dist, "node.mjs")).href));
      const { NODE_TEST_CONTEXT: _, ...env } = process.env;
      const { stdout, stderr, status } = spawnSync(
        process.execPath,
        [main, model, first, variant, `${pathToFileURL(folder).href}/`, join(folder, "log")],
        { encoding: "utf8", env, timeout: 500_000 },
      );
      assert.equal(status, 0, stderr);
      const { growths, wanted, after, rows } = JSON.parse(stdout) as {
        growths: number;
        wanted: Used;
        after: Used;
        rows: Used[];
      };
      assert(growths > 0);
      assert.equal(wanted.at, "nowhere");
      assert.deepEqual(after, wanted);
      const outcomes = { right: 0, "no model": 0, "no answer, goes on": 0, "no answer, over": 0 };
      for (const row of rows) {
        // An answer that is given is the right one.
        for (const [index, text] of (row.text ?? []).entries())
          assert(text == null || text === wanted.text![index], JSON.stringify(row));
        if (row.at === "load") ++outcomes["no model"];
        else if (row.at === "nowhere") ++outcomes.right;
        else ++outcomes[row.alive ? "no answer, goes on" : "no answer, over"];
      }
      t.diagnostic(`${variant}: ${growths} growths: ${JSON.stringify(outcomes)}`);
    },
  );
