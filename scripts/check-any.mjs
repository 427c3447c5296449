#!/usr/bin/env node
// node scripts/check-any.mjs: no public type is `any` or has it in a part. Reads the package's type
// declarations (what dist/types holds), where tsc writes out what it has inferred; fails with a
// list.
import { fileURLToPath } from "node:url";
import { parseDeclarations, readModules, walk, withDeclarations } from "./declarations.mjs";

/** Each `any` in a module: the file and the line. */
function anyIn({ name, text, ast }) {
  const found = [];
  walk(ast, ({ type, range }) => {
    if (type === "TSAnyKeyword")
      found.push(`${name}:${text.slice(0, range[0]).split("\n").length}`);
  });
  return found;
}

/** Where a declaration file with this name and text has `any`. */
export async function anyTypes(name, text) {
  return anyIn({ name, text, ast: await parseDeclarations(text, name) });
}

/** Throws where a public declaration has `any`; returns how many modules were read. */
export async function checkAny() {
  const modules = await withDeclarations(readModules);
  const found = [...modules.values()].flatMap(anyIn);
  if (found.length > 0)
    throw new Error(
      `public types without \`any\` wanted (\`unknown\`, or what it is), ${found.length} found:\n` +
        `  ${found.join("\n  ")}`,
    );
  return modules.size;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  try {
    console.log(`no public type of ${await checkAny()} modules is any`);
  } catch (error) {
    console.error(`check-any: ${error.message}`);
    process.exitCode = 1;
  }
}
