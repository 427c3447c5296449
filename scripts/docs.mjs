#!/usr/bin/env node
// npm run docs: builds the documentation as a site of static files in build/site, from the Markdown
// files that docs/README.md lists and all that they link to, with a reference of every public name
// and a search that needs no server. Fails on a link that leads nowhere and on a public name
// without a docstring. The site asks nothing of other servers and works in any folder, from a disk
// too; the examples in it want a server (any) and a built package.
//   npm run docs -- --serve [--port 8081]    builds, then serves it on this machine
import {
  cpSync,
  existsSync,
  mkdirSync,
  readFileSync,
  readdirSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { dirname, join, posix } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { build } from "esbuild";
import MiniSearch from "minisearch";
import { withDeclarations } from "./declarations.mjs";
import { renderMarkdown } from "./docs/markdown.mjs";
import { listPath, sectionsOf } from "./docs/navigation.mjs";
import { pageHtml } from "./docs/page.mjs";
import { cReference } from "./docs/reference-c.mjs";
import { typescriptReference } from "./docs/reference-typescript.mjs";
import { searchOptions } from "./docs/search-options.mjs";
import { startServer } from "./server.mjs";
import { setUpNodeModules } from "./setup/node-modules.mjs";
import { root } from "./toolchain.mjs";
import { trackedFiles } from "./tracked-files.mjs";

/** Where the site is built. */
export const output = join(root, "build", "site");
const assets = join(root, "scripts", "docs", "assets");
const examples = "examples-web/";
// Of the package a page loads all but the command line, Node's files and the types.
const notForPages = /^(cli|node|tools|types)/;

/** Where the page of a Markdown file is in the site: README.md is its folder's index. */
const urlOf = (path) => path.replace(/README\.md$/, "index.html").replace(/\.md$/, ".html");

/**
 * Renders the Markdown files `start` and all that they link to. `textOf(path)` is a Markdown file's
 * text, `exists(path)` says whether there is another file. Returns { pages: path → page, files:
 * linked files that are no pages }; throws, with a list, where links lead nowhere.
 */
export function linkedPages(start, { textOf, exists }) {
  const pages = new Map();
  const files = new Set();
  const links = []; // { from, href, path, anchor }
  const waiting = start.map((path) => ({ from: listPath, href: path, path }));
  for (let next = waiting.shift(); next; next = waiting.shift()) {
    const { path } = next;
    links.push(next);
    if (pages.has(path) || files.has(path)) continue;
    if (!path.endsWith(".md")) {
      if (exists(path)) files.add(path);
      continue;
    }
    const text = textOf(path);
    if (text === undefined) continue;
    const linkOf = (href) => {
      if (/^[a-z]+:/.test(href)) return href;
      const [file, anchor] = href.split("#");
      const target = file ? posix.join(posix.dirname(path), decodeURI(file)) : path;
      waiting.push({ from: path, href, path: target, anchor });
      const url = posix.relative(posix.dirname(urlOf(path)), urlOf(target));
      return `${file ? url : ""}${anchor ? `#${anchor}` : ""}`;
    };
    pages.set(path, { url: urlOf(path), ...renderMarkdown(text, linkOf) });
  }
  const wrong = links.flatMap(({ from, href, path, anchor }) => {
    const page = pages.get(path);
    if (!page && !files.has(path)) return `${from}: ${href} is not there`;
    const missing = anchor && page && !page.headings.some((heading) => heading.anchor === anchor);
    return missing ? `${from}: ${href}: ${path} has no such heading` : [];
  });
  if (wrong.length > 0) throw new Error(`links that lead nowhere:\n  ${wrong.join("\n  ")}`);
  return { pages, files };
}

/** The search index as a script: pages on a disk cannot fetch. */
function searchIndex(pages) {
  const index = new MiniSearch(searchOptions);
  let id = 0;
  for (const { url, title, parts } of pages)
    for (const { heading, anchor, text } of parts) {
      const excerpt = text.replaceAll(/\s+/g, " ").slice(0, 110).trim();
      const at = heading === title ? url : `${url}#${anchor}`;
      index.add({ id: id++, url: at, page: title, heading, text, excerpt });
    }
  return `globalThis.searchIndex=${JSON.stringify(index)};\n`;
}

function write(path, content) {
  mkdirSync(dirname(join(output, path)), { recursive: true });
  writeFileSync(join(output, path), content);
}

function copy(path) {
  cpSync(join(root, path), join(output, path), { recursive: true });
}

async function writeAssets(pages) {
  const searchLicence = readFileSync(
    join(root, "node_modules", "minisearch", "LICENSE.txt"),
    "utf8",
  );
  const { outputFiles } = await build({
    entryPoints: [join(assets, "page.js")],
    bundle: true,
    minify: true,
    format: "iife",
    target: ["chrome91", "firefox114", "safari15"],
    banner: { js: `/*! Contains MiniSearch.\n\n${searchLicence}*/` },
    write: false,
  });
  write("assets/page.js", outputFiles[0].text);
  write("assets/search-index.js", searchIndex(pages));
  cpSync(join(assets, "style.css"), join(output, "assets", "style.css"));
  for (const [from, name] of [
    ["playground/icon.svg", "icon.svg"],
    ["shared/base.css", "base.css"],
  ])
    cpSync(join(root, examples, from), join(output, "assets", name));
}

/** The examples, and the package that they load where it is built. */
function copyExamples() {
  for (const path of trackedFiles().filter((name) => name.startsWith(examples))) copy(path);
  const built = existsSync(join(root, "dist", "index.mjs"));
  if (built)
    for (const name of readdirSync(join(root, "dist")).filter((entry) => !notForPages.test(entry)))
      copy(join("dist", name));
  return built;
}

/** Builds the site in build/site; returns how many pages it has and whether its examples can run. */
export async function buildSite() {
  const generated = new Map([
    ["docs/reference-typescript.md", await withDeclarations(typescriptReference)],
    [
      "docs/reference-c.md",
      cReference(readFileSync(join(root, "cpp", "api", "tinyvlm.h"), "utf8")),
    ],
  ]);
  const sections = [
    ...sectionsOf(readFileSync(join(root, listPath), "utf8")),
    { title: "Reference", pages: [...generated.keys()] },
  ];
  const listed = sections.flatMap(({ pages }) => pages);
  const known = new Set(trackedFiles());
  const { pages, files } = linkedPages([...listed, listPath], {
    textOf: (path) =>
      generated.get(path) ?? (known.has(path) ? readFileSync(join(root, path), "utf8") : undefined),
    exists: (path) => known.has(path),
  });
  const navigation = sections.map(({ title, pages: paths }) => ({
    title,
    pages: paths.map((path) => pages.get(path)),
  }));

  rmSync(output, { recursive: true, force: true });
  for (const page of pages.values()) write(page.url, pageHtml(page, navigation));
  for (const path of files) copy(path);
  await writeAssets(pages.values());
  return { pages: pages.size, runs: copyExamples() };
}

async function main() {
  const { values } = parseArgs({
    options: { serve: { type: "boolean" }, port: { type: "string", default: "8081" } },
  });
  await setUpNodeModules();
  const { pages, runs } = await buildSite();
  console.log(`build/site: ${pages} pages`);
  if (!runs) console.log("its examples have no package to load: npm run build, then again");
  if (!values.serve) return;
  const server = await startServer({ mounts: { "/": output }, port: Number(values.port) });
  console.log(`${server.url}/   (Ctrl+C ends it)`);
}

if (process.argv[1] === fileURLToPath(import.meta.url))
  await main().catch((error) => {
    console.error(`docs: ${error.message}`);
    process.exitCode = 1;
  });
