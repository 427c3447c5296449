#!/usr/bin/env node
// node scripts/api-report.mjs: writes js-sdk/api-report.md, the public TypeScript API in one text,
// without comments. `--check` changes nothing and fails, with the difference, where the report is
// not what the sources say: a change of the API is then seen in review, or was not meant.
import { spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { format, resolveConfig } from "prettier";
import {
  declarationIn,
  declarationsAt,
  entries,
  nameOf,
  readModules,
  walk,
  withDeclarations,
} from "./declarations.mjs";
import { root } from "./toolchain.mjs";

const reportPath = join(root, "js-sdk", "api-report.md");

/** Per module: the names it declares, imports and exports, each with where to find them. */
function tableOfNames(path, { ast }) {
  const table = { declared: new Map(), imported: new Map(), exported: new Map(), stars: [] };
  for (const statement of ast.body) {
    const from = statement.source && declarationsAt(path, statement.source.value);
    if (statement.type === "ImportDeclaration")
      for (const { local, imported } of statement.specifiers)
        table.imported.set(local.name, { path: from, name: imported.name });
    if (statement.type === "ExportAllDeclaration")
      table.stars.push({ path: from, typeOnly: statement.exportKind === "type" });
    for (const { local, exported } of statement.specifiers ?? [])
      if (exported)
        table.exported.set(exported.name, {
          path: from ?? path,
          name: local.name,
          typeOnly: statement.exportKind === "type",
        });
    const declaration = declarationIn(statement);
    if (!declaration) continue;
    const name = nameOf(declaration);
    table.declared.set(name, [...(table.declared.get(name) ?? []), declaration]);
    if (statement.type === "ExportNamedDeclaration")
      table.exported.set(name, {
        path,
        name,
        typeOnly: /^TS(Interface|TypeAlias)/.test(declaration.type),
        own: true,
      });
  }
  return table;
}

/** The module that declares `name` as seen in `path`: { path, name }, or undefined for a global. */
function declaringModule(tables, path, name) {
  const { declared, imported, exported, stars } = tables.get(path);
  if (declared.has(name)) return { path, name };
  const elsewhere = imported.get(name) ?? exported.get(name);
  if (elsewhere) return declaringModule(tables, elsewhere.path, elsewhere.name);
  for (const star of stars) {
    const found = declaringModule(tables, star.path, name);
    if (found) return found;
  }
  return undefined;
}

/** What the module exports: name → whether only as a type. */
function exportsOf(tables, path) {
  const { exported, stars } = tables.get(path);
  const names = new Map();
  for (const star of stars)
    for (const [name, typeOnly] of exportsOf(tables, star.path))
      names.set(name, star.typeOnly || typeOnly);
  for (const [name, { path: from, name: inner, typeOnly, own }] of exported)
    names.set(name, typeOnly || (!own && (exportsOf(tables, from).get(inner) ?? false)));
  return names;
}

/** The names that a declaration refers to. */
function references(declaration) {
  const names = new Set();
  const add = (node) => {
    const leftmost = node?.type === "TSQualifiedName" ? node.left : node;
    if (leftmost?.type === "Identifier") names.add(leftmost.name);
  };
  walk(declaration, (node) => {
    if (node.type === "TSTypeReference") add(node.typeName);
    else if (node.type === "TSTypeQuery") add(node.exprName);
    else if (/^TS(ClassImplements|InterfaceHeritage)$/.test(node.type)) add(node.expression);
    else if (node.type === "TSImportType")
      throw new Error("a declaration imports a type inline: give it a type annotation");
    add(node.superClass);
  });
  return names;
}

/** A declaration's text without comments. */
export function textOf({ text, ast }, { range: [begin, end] }) {
  let result = "";
  let at = begin;
  for (const comment of ast.comments) {
    const [from, to] = comment.range;
    if (from < begin || to > end) continue;
    result += text.slice(at, from);
    at = to;
  }
  return (result + text.slice(at, end)).replaceAll(/\n\s*\n/g, "\n").replace(/^declare /, "");
}

/**
 * The declarations in `folder` that users of the entries `from` can meet: `entries`, per entry the
 * names that it exports (name → whether only as a type); `declarations`, those names and all that
 * they refer to, in alphabetical order: { name, module, nodes, exported, twice }. `nodes` are the
 * declarations of that name in the module; `twice` says that another module declares the name too.
 */
export async function publicDeclarations(folder, from = entries) {
  const modules = await readModules(folder, from);
  const tables = new Map([...modules].map(([path, each]) => [path, tableOfNames(path, each)]));
  const found = new Map(); // "path name" → { path, name }
  const visit = (path, name) => {
    const target = declaringModule(tables, path, name);
    if (!target) return;
    const key = `${target.path} ${target.name}`;
    if (found.has(key)) return;
    found.set(key, target);
    for (const declaration of tables.get(target.path).declared.get(target.name))
      for (const reference of references(declaration)) visit(target.path, reference);
  };
  const exported = new Map();
  for (const entry of from) {
    const path = join(folder, entry);
    exported.set(entry, exportsOf(tables, path));
    for (const name of exported.get(entry).keys()) visit(path, name);
  }
  const exportedNames = new Set([...exported.values()].flatMap((names) => [...names.keys()]));
  const all = [...found.values()];
  const declarations = all.map(({ path, name }) => ({
    name,
    module: modules.get(path),
    nodes: tables.get(path).declared.get(name),
    exported: exportedNames.has(name),
    // Of two classes of one name, the entry that exports it says which is meant.
    twice: all.some((other) => other.name === name && other.path !== path),
  }));
  const order = (a, b) =>
    a.name < b.name || (a.name === b.name && a.module.name < b.module.name) ? -1 : 1;
  return { entries: exported, declarations: declarations.sort(order) };
}

/** The report of the declarations in `folder`, as its entries `from` export them. */
export async function report(folder, from = entries) {
  const { entries: exports, declarations } = await publicDeclarations(folder, from);
  const list = (names) => names.map((name) => `\`${name}\``).join(", ") || "none";
  const summary = (names) => {
    const sorted = [...names].sort();
    const values = list(sorted.filter(([, typeOnly]) => !typeOnly).map(([name]) => name));
    const types = list(sorted.filter(([, typeOnly]) => typeOnly).map(([name]) => name));
    return `Values: ${values}.\n\nTypes: ${types}.`;
  };
  const code = (wanted) =>
    declarations
      .filter(({ exported }) => exported === wanted)
      .flatMap(({ module, nodes, twice }) => [
        ...(twice ? [`// ${module.name}`] : []),
        ...nodes.map((node) => `${textOf(module, node)}\n`),
      ])
      .join("\n");
  const text = [
    "# The public TypeScript API",
    "Written by `node scripts/api-report.mjs` from the sources of `js-sdk/`; `npm test` fails " +
      "while it is not current. Comments are left out; the files in `dist/types/` have them.",
    ...[...exports].flatMap(([entry, names]) => [`## Exports of ${entry}`, summary(names)]),
    "## Exported declarations",
    `\`\`\`ts\n${code(true)}\`\`\``,
    "## Declarations that those refer to",
    `\`\`\`ts\n${code(false)}\`\`\``,
  ].join("\n\n");
  return format(text, { ...(await resolveConfig(reportPath)), filepath: reportPath });
}

/** How the report of the sources differs from the one that is checked in, as `diff` shows it. */
function difference(current) {
  const folder = mkdtempSync(join(tmpdir(), "tiny-vlm-report-"));
  try {
    const path = join(folder, "api-report.md");
    writeFileSync(path, current);
    const { stdout } = spawnSync(
      "git",
      ["diff", "--no-index", "--no-color", "--", reportPath, path],
      { encoding: "utf8" },
    );
    return stdout.replace(/^(?!@@)[^]*?^(?=@@)/m, "");
  } finally {
    rmSync(folder, { recursive: true });
  }
}

/** Writes the report, or with `check` compares it; throws where it is not current. */
export async function apiReport({ check = false } = {}) {
  const current = await withDeclarations(report);
  const written = existsSync(reportPath) ? readFileSync(reportPath, "utf8") : "";
  if (!check) writeFileSync(reportPath, current);
  else if (current !== written)
    throw new Error(
      "the public TypeScript API differs from js-sdk/api-report.md. If it was meant to change, " +
        `run node scripts/api-report.mjs and commit the report.\n${difference(current)}`,
    );
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  try {
    const { values } = parseArgs({ options: { check: { type: "boolean" } } });
    await apiReport(values);
    console.log(`js-sdk/api-report.md is ${values.check ? "current" : "written"}`);
  } catch (error) {
    console.error(`api-report: ${error.message}`);
    process.exitCode = 1;
  }
}
