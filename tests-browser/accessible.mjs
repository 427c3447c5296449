// axe-core over a page: no finding of weight may be left.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";

const axe = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");

/** Fails where axe finds something of moderate weight or more; `what` names the page. */
export async function assertAccessible(page, what) {
  // Evaluated, not added as a script: a content security policy would refuse that.
  await page.evaluate(axe);
  // Only what is wrong comes over: all that axe tells of a long page takes some browsers a minute.
  const grave = await page.evaluate(async () => {
    const { violations } = await window.axe.run(document, { resultTypes: ["violations"] });
    return violations
      .filter(({ impact }) => impact !== "minor")
      .map(({ id, help, nodes }) => `${id}: ${help}: ${nodes.map(({ html }) => html)}`);
  });
  assert.deepEqual(grave, [], `${what}: accessibility`);
}
