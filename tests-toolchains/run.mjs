#!/usr/bin/env node
// npm run toolchains [-- name...]: the package in every toolchain that people use it in, each a
// project of its own with the packed package installed; prints the matrix, and for what is red its
// sentence. Names choose toolchains. `--everyday`: those of `npm test -- toolchains`. `--write`:
// writes the matrix to docs/toolchains.md. Versions: versions.json. Downloads up to 1.5 GB, takes
// about ten minutes.
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { format } from "prettier";
import { launchChromium, root } from "../tests-browser/harness.mjs";
import { programs } from "./programs.mjs";
import { answer, makeProject, versionsOf } from "./project.mjs";
import { web } from "./web.mjs";

const toolchains = [...web, ...programs];

/** Why a cell is red; undefined where it is green. */
function complaint({ sentence, mayAnswer, variant }, found) {
  const { text, error } = found;
  if (found.good) return undefined;
  if (sentence && !(mayAnswer && text === answer))
    return error && sentence.test(error) ? undefined : `wanted ${sentence}, found ${error ?? text}`;
  if (error) return error;
  if (text !== answer) return `wanted "${answer}", found "${text}"`;
  if (variant && !variant.test(found.variant)) return `${found.variant} ran`;
  return undefined;
}

async function runCell(cell, context) {
  try {
    return await cell.ask(context);
  } catch (error) {
    return { error: error.message };
  }
}

const kilobytes = (bytes) => (bytes > 0 ? `${Math.round(bytes / 1000)} kB` : "–");

/** Runs toolchains; their rows: { name, cell, versions, found, complaint }. */
export async function runToolchains(chosen, log = console.log) {
  const browser = await launchChromium();
  const rows = [];
  try {
    for (const toolchain of chosen) {
      const { name, uses, shown = uses, cells, prepare } = toolchain;
      const folder = toolchain.folder ?? name.toLowerCase().replaceAll(/[^a-z0-9]+/g, "-");
      const versions = versionsOf(shown);
      log(`\n${name}${versions ? ` (${versions})` : ""}`);
      let path;
      try {
        path = makeProject({ ...toolchain, folder });
        prepare?.({ path });
      } catch (error) {
        rows.push({ name, cell: "install", versions, found: {}, complaint: error.message });
        log(`  RED    install: ${error.message}`);
        continue;
      }
      for (const cell of cells) {
        const found = await runCell(cell, { path, browser });
        const row = { name, cell: cell.name, versions, found, complaint: complaint(cell, found) };
        rows.push(row);
        const { shipped, variant, ms } = found;
        const facts = [
          variant,
          shipped && `${kilobytes(shipped.js)} of JavaScript`,
          shipped && `${kilobytes(shipped.wasm)} of wasm`,
          ms && `${Math.round(ms)} ms`,
        ].filter(Boolean);
        log(`  ${row.complaint ? "RED   " : "green "} ${cell.name}: ${facts.join(", ")}`);
        if (row.complaint) log(`         ${row.complaint}`);
        else if (found.error) log(`         ${found.error}`);
      }
    }
  } finally {
    await browser.close();
  }
  return rows;
}

/** What a cell that answered and one that did not say, in a few words. */
function verdict({ found, complaint }) {
  if (complaint) return "red";
  return found.error ? "a sentence" : "answers";
}

function matrix(rows) {
  return [
    "| toolchain | what | result | build | JavaScript | wasm | model |",
    "| --- | --- | --- | --- | --- | --- | --- |",
    ...rows.map((row) => {
      const { js = 0, wasm = 0, gguf = 0 } = row.found.shipped ?? {};
      return (
        `| ${row.name}${row.versions ? ` (${row.versions})` : ""} | ${row.cell} | ${verdict(row)} ` +
        `| ${row.found.variant ?? "–"} | ${[js, wasm, gguf].map(kilobytes).join(" | ")} |`
      );
    }),
  ].join("\n");
}

/** The rows as lists, because a table would be wider than a page. */
function lists(rows) {
  const names = [...new Set(rows.map(({ name }) => name))];
  return names
    .map((name) => {
      const own = rows.filter((row) => row.name === name);
      const versions = own[0].versions ? ` (${own[0].versions})` : "";
      const items = own.map((row) => {
        const { error, variant, shipped } = row.found;
        if (row.complaint) return `- ${row.cell}: **red**: ${oneLine(row.complaint)}`;
        if (error) return `- ${row.cell}: “${oneLine(error)}”`;
        const facts = [
          variant && `\`${variant}\``,
          shipped && `${kilobytes(shipped.js)} of JavaScript`,
          shipped && `${kilobytes(shipped.wasm)} of wasm`,
          shipped?.gguf > 0 && `the demo model`,
        ].filter(Boolean);
        return `- ${row.cell}: ${row.found.good ? "passes" : "answers"}${facts.length > 0 ? ` (${facts.join(", ")})` : ""}`;
      });
      return `**${name}**${versions}\n\n${items.join("\n")}`;
    })
    .join("\n\n");
}

async function writeMatrix(rows) {
  const path = join(root, "docs", "toolchains.md");
  const date = new Date().toISOString().slice(0, 10);
  const text = readFileSync(path, "utf8").replace(
    /(<!-- matrix -->\n)[^]*(<!-- \/matrix -->)/,
    (_, start, end) =>
      `${start}\nTried on ${date}, without a cross-origin isolated page where nothing else is said. ` +
      `Quoted is what an error says.\n\n${lists(rows)}\n\n${end}`,
  );
  const settings = JSON.parse(readFileSync(join(root, ".prettierrc.json"), "utf8"));
  writeFileSync(path, await format(text, { ...settings, filepath: path }));
}

// Paths and addresses differ from one machine to the next.
const oneLine = (text) =>
  text
    .replaceAll(/\s+/g, " ")
    .replaceAll(/(file:\/\/)?\/[^\s;:]*\/(build\/toolchains|tiny-vlm-traced-\w+)/g, "…")
    .replaceAll("file:///$bunfs/root", "…") // in a program that Bun has compiled
    .replaceAll(/http:\/\/(localhost|127\.0\.0\.1):\d+/g, "http://…");

async function main() {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: { everyday: { type: "boolean" }, write: { type: "boolean" } },
  });
  if (!existsSync(join(root, "dist", "index.mjs")))
    throw new Error("dist/ is missing: run npm run build first");
  const wanted = positionals.map((name) => name.toLowerCase());
  const chosen = toolchains.filter(
    ({ name, everyday }) =>
      (!values.everyday || everyday) &&
      (wanted.length === 0 || wanted.some((part) => name.toLowerCase().includes(part))),
  );
  if (chosen.length === 0)
    throw new Error(`known toolchains are ${toolchains.map(({ name }) => name).join(", ")}`);
  const rows = await runToolchains(chosen);
  const red = rows.filter((row) => row.complaint);
  console.log(`\n${matrix(rows)}\n`);
  for (const { name, cell, complaint } of red) console.log(`RED ${name}, ${cell}: ${complaint}`);
  console.log(`${rows.length - red.length} passed, ${red.length} failed`);
  if (values.write) await writeMatrix(rows);
  if (red.length > 0) process.exitCode = 1;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  try {
    await main();
  } catch (error) {
    console.error(`toolchains: ${error.message}`);
    process.exitCode = 1;
  }
}
