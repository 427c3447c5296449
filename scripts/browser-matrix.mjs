#!/usr/bin/env node
// node scripts/browser-matrix.mjs: docs/browser-matrix.md from what the suites `browser`, `firefox`
// and `webkit` of `npm test` have left of their last runs. Exits with 1 where a test has failed.
import { existsSync, mkdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { browserNames } from "./setup/browsers.mjs";
import { root } from "./toolchain.mjs";

const folder = join(root, "build", "browser-results");
const page = join(root, "docs", "browser-matrix.md");

/** The file that a run of a browser's suite writes its results to; its folder is made. */
export function resultsFile(browser) {
  mkdirSync(folder, { recursive: true });
  return join(folder, `${browser}.jsonl`);
}

/** What is known of a browser's last run; undefined where there was none. */
async function lastRun(browser) {
  const path = join(folder, `${browser}.jsonl`);
  if (!existsSync(path)) return undefined;
  const results = readFileSync(path, "utf8").trim().split("\n").map(JSON.parse);
  const engine = await import(`../tests-browser/browsers/${browser}.mjs`);
  const title = `${engine.name} ${await engine.version()}`;
  return { title, results, date: statSync(path).mtime.toISOString().slice(0, 10) };
}

/** The list of stories of these runs, as Markdown; `npm run format` breaks its lines. */
function matrix(runs) {
  const reasons = [];
  const shown = (result) => {
    if (!result) return "not run";
    if (result.outcome !== "skipped") return result.outcome;
    let number = reasons.indexOf(result.reason) + 1;
    if (number === 0) number = reasons.push(result.reason);
    return `skipped (${number})`;
  };
  const keyOf = ({ file, name }) => `${file}\n${name}`;
  const stories = new Map(
    runs.flatMap(({ results }) => results.map((result) => [keyOf(result), result])),
  );
  const lines = new Map();
  for (const [key, { file, name }] of stories) {
    const outcomes = runs.map(({ results }) => shown(results.find((one) => keyOf(one) === key)));
    const same = outcomes.every((outcome) => outcome === outcomes[0]);
    const told = same ? outcomes[0] : outcomes.join(", ");
    lines.set(file, [...(lines.get(file) ?? []), `- ${name}: **${told}**`]);
  }
  const count = ({ results }, outcome) => results.filter((one) => one.outcome === outcome).length;
  const sums = runs.map(
    (run) =>
      `- ${run.title}, ${run.date}: ${count(run, "passed")} passed, ${count(run, "skipped")} ` +
      `skipped, ${count(run, "failed")} failed`,
  );
  return [
    "# Which story passes in which browser",
    "",
    "Made by `npm test -- browser firefox webkit`, then `node scripts/browser-matrix.mjs`: one list",
    "of stories (`tests-browser/`), each in every browser, headless, on Linux. What a browser or its",
    "driver lacks is skipped, with the reason below.",
    "",
    ...sums,
    "",
    "## Reasons",
    "",
    ...reasons.map((reason, index) => `${index + 1}. ${reason}`),
    "",
    "## Stories",
    "",
    `In this order: ${runs.map(({ title }) => title).join(", ")}; one word where all agree. A spec`,
    "that a run did not come to is *not run*.",
    "",
    ...[...lines].flatMap(([file, list]) => [`### ${file}`, "", ...list, ""]),
    "",
  ].join("\n");
}

async function main() {
  const runs = (await Promise.all(browserNames.map(lastRun))).filter(Boolean);
  if (runs.length === 0)
    throw new Error("no suite has run yet: npm test -- browser firefox webkit");
  writeFileSync(page, matrix(runs));
  console.log(`wrote ${page}`);
  if (runs.some(({ results }) => results.some(({ outcome }) => outcome === "failed")))
    process.exitCode = 1;
}

if (process.argv[1] === fileURLToPath(import.meta.url))
  main().catch((error) => {
    console.error(`browser-matrix: ${error.message}`);
    process.exitCode = 1;
  });
