// A reporter of node:test: a line of JSON for each test that is no suite, for
// scripts/browser-matrix.mjs.
import { basename } from "node:path";

export default async function* matrixReporter(events) {
  for await (const { type, data } of events) {
    if (type !== "test:pass" && type !== "test:fail") continue;
    const { name, file, skip, details } = data;
    if (details.type === "suite" || !file || file === name) continue;
    const outcome = type === "test:fail" ? "failed" : skip === undefined ? "passed" : "skipped";
    const reason = outcome === "skipped" ? String(skip) : undefined;
    yield `${JSON.stringify({ file: basename(file), name, outcome, reason })}\n`;
  }
}
