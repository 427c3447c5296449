#!/usr/bin/env node
// Checks what no formatter does: relative links in Markdown lead to a file, and to a heading of it;
// no line of Markdown is longer than 100 columns (Prettier leaves table rows and code as they are).
// Prints each violation.
import { readFileSync } from "node:fs";
import { join, posix } from "node:path";
import { fileURLToPath } from "node:url";
import { root } from "./toolchain.mjs";
import { trackedFiles } from "./tracked-files.mjs";

const columns = 100;

/** Makes anchors of headings' texts, as GitHub does: of equal ones all but the first get a number. */
export function anchorMaker() {
  const given = new Set();
  return (title) => {
    const anchor = title
      .toLowerCase()
      .replaceAll(/[^\p{L}\p{N}\s_-]/gu, "")
      .replaceAll(" ", "-");
    let name = anchor;
    for (let n = 1; given.has(name); ++n) name = `${anchor}-${n}`;
    given.add(name);
    return name;
  };
}

/** The anchors of a Markdown text's headings. */
function anchorsOf(text) {
  const headings = text.replaceAll(/^```[^]*?^```/gm, "").matchAll(/^#+ +(.*)$/gm);
  return new Set([...headings].map(([, title]) => title).map(anchorMaker()));
}

/** Violations in Markdown `files` ({ path: text }); `names`: every file or folder that exists. */
export function brokenLinks(files, names) {
  const known = new Set(names);
  for (const name of names)
    for (let folder = posix.dirname(name); folder !== "."; folder = posix.dirname(folder))
      known.add(folder);
  const wrong = [];
  for (const [path, text] of Object.entries(files)) {
    const prose = text.replaceAll(/^```[^]*?^```/gm, "").replaceAll(/`[^`\n]*`/g, "");
    for (const [, link] of prose.matchAll(/\]\(([^)\s]+)\)/g)) {
      if (/^[a-z]+:/.test(link)) continue;
      const [file, anchor] = link.split("#");
      const target = file ? posix.join(posix.dirname(path), decodeURI(file)) : path;
      if (!known.has(target.replace(/\/$/, ""))) wrong.push(`${path}: ${link} is not there`);
      else if (anchor && files[target] !== undefined && !anchorsOf(files[target]).has(anchor))
        wrong.push(`${path}: ${link}: ${target} has no such heading`);
    }
  }
  return wrong;
}

/** Lines of `files` ({ path: text }) that are longer than 100 columns, addresses excepted. */
export function longLines(files) {
  return Object.entries(files).flatMap(([path, text]) =>
    text.split("\n").flatMap((line, index) => {
      const length = [...line].length;
      if (length <= columns || /https?:\/\/\S{60,}/.test(line)) return [];
      return `${path}:${index + 1}: ${length} columns`;
    }),
  );
}

/** All violations in the tree. */
export function checkDocuments() {
  const names = trackedFiles();
  const read = (wanted) =>
    Object.fromEntries(wanted.map((name) => [name, readFileSync(join(root, name), "utf8")]));
  const markdown = read(names.filter((name) => name.endsWith(".md")));
  return [...brokenLinks(markdown, names), ...longLines(markdown)];
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const wrong = checkDocuments();
  for (const line of wrong) console.error(line);
  process.exitCode = wrong.length > 0 ? 1 : 0;
}
