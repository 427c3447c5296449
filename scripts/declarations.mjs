// The package's type declarations: emitted by tsc, and read as a syntax tree by those who check
// them (api-report.mjs, check-docs.mjs). TypeScript 7 offers no parser to scripts; Prettier brings
// one.
import { mkdtempSync, readdirSync, readFileSync, rmdirSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join, relative } from "node:path";
import * as typescript from "prettier/plugins/typescript";
import { root, run } from "./toolchain.mjs";

/** The entries beside the SDK itself: js-sdk/src/adapters/<name>.ts is `tiny-vlm/<name>`. */
export const adapters = ["ai-sdk", "openai", "prompt-api", "react"];

/** The files that `exports` in package.json names as types. */
export const entries = [
  "index.d.ts",
  "node.d.ts",
  "demo-model.d.ts",
  "iife.d.ts",
  "support.d.ts",
  ...adapters.map((name) => `adapters/${name}.d.ts`),
];

/**
 * Writes the declarations of js-sdk/src, or of the sources that another `project` and its entries
 * name, to `folder`: those that an entry reaches, no other. About two seconds. Throws where the
 * sources have type errors.
 */
export async function emitDeclarations(
  folder,
  project = join("js-sdk", "tsconfig.types.json"),
  from = entries,
) {
  run(process.execPath, [
    join(root, "node_modules", "typescript", "bin", "tsc"),
    ...["-p", join(root, project), "--outDir", folder],
  ]);
  const reached = await readModules(folder, from);
  // Backwards, so that what is in a folder comes before the folder.
  for (const name of readdirSync(folder, { recursive: true }).sort().reverse()) {
    const path = join(folder, name);
    if (!statSync(path).isDirectory()) {
      if (!reached.has(path)) rmSync(path);
    } else if (readdirSync(path).length === 0) rmdirSync(path);
  }
}

/** Emits the declarations into a folder that is gone when `use(folder)` has ended. */
export async function withDeclarations(use) {
  const folder = mkdtempSync(join(tmpdir(), "tiny-vlm-types-"));
  try {
    await emitDeclarations(folder);
    return await use(folder);
  } finally {
    rmSync(folder, { recursive: true });
  }
}

/** The syntax tree of a declaration file's text. */
export function parseDeclarations(text, path) {
  return typescript.parsers.typescript.parse(text, { filepath: path });
}

/**
 * The declaration files in `folder` that its entries reach: path → { name, text, ast }. `name` is
 * the path below `folder`; `ast` is an ESTree whose nodes carry `range` (begin and end in `text`),
 * its comments in `ast.comments`.
 */
export async function readModules(folder, from = entries) {
  const modules = new Map();
  const read = async (path) => {
    if (modules.has(path)) return;
    const text = readFileSync(path, "utf8");
    const ast = await parseDeclarations(text, path);
    modules.set(path, { name: relative(folder, path), text, ast });
    for (const { source } of ast.body) if (source) await read(declarationsAt(path, source.value));
  };
  for (const entry of from) await read(join(folder, entry));
  return modules;
}

/** The declaration file that the module at `path` imports as `specifier`. */
export function declarationsAt(path, specifier) {
  if (!specifier.startsWith("."))
    throw new Error(
      `${path} imports types of "${specifier}": the public types may use the language's and the ` +
        "page's only",
    );
  return join(dirname(path), specifier.replace(/\.js$/, ".d.ts"));
}

/**
 * The type, class, function or variable that a statement of a module declares, exported or not, or
 * undefined.
 */
export function declarationIn(statement) {
  const declared = statement.type === "ExportNamedDeclaration" ? statement.declaration : statement;
  return declared && /^(TS(Interface|TypeAlias|DeclareFunction)|Class|Variable)/.test(declared.type)
    ? declared
    : undefined;
}

/** The name that a declaration gives. */
export function nameOf(declaration) {
  return (declaration.id ?? declaration.declarations[0].id).name;
}

/** Calls `visit(node, parents)` for `node` and all nodes in it; false keeps it out of a node. */
export function walk(node, visit, parents = []) {
  if (visit(node, parents) === false) return;
  for (const [key, value] of Object.entries(node)) {
    if (key === "loc" || key === "range") continue;
    for (const child of Array.isArray(value) ? value : [value])
      if (child && typeof child.type === "string") walk(child, visit, [node, ...parents]);
  }
}
