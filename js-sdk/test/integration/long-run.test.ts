// The long measurements, for a short time: memory over cycles of loads, and mixed work whose
// answers are the quiet ones.

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { test } from "node:test";
import { options, root } from "./built-package.js";

function tool(name: string, ...args: string[]): Record<string, unknown> {
  const { stdout, stderr, status } = spawnSync(
    process.execPath,
    ["--expose-gc", join(root, "tools", name), ...args],
    { encoding: "utf8", timeout: 400_000 },
  );
  assert.equal(status, 0, `${stdout}${stderr}`);
  return JSON.parse(stdout) as Record<string, unknown>;
}

test("16 cycles of load, ask, chat and dispose need no more memory", options, (t) => {
  const report = tool("memory-cycles.mjs", "--cycles", "16");
  assert.equal(report["wrong"], 0);
  t.diagnostic(JSON.stringify(report));
});

test("mixed work: every answer is the quiet one", options, (t) => {
  const report = tool("long-run.mjs", "--minutes", "0.3");
  assert((report["answers"] as number) > 0);
  assert.equal(report["wrong"], 0);
  t.diagnostic(JSON.stringify(report));
});
