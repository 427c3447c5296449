#!/usr/bin/env node
// node scripts/check-docs.mjs: counts the docstrings of the package's type declarations (what
// dist/types holds) and fails, with a list, where a type, function, class, field, option or method
// has none.
import { fileURLToPath } from "node:url";
import {
  declarationIn,
  nameOf,
  parseDeclarations,
  readModules,
  walk,
  withDeclarations,
} from "./declarations.mjs";

/** The docstring right before position `at`, without its stars, or undefined. */
export function docstringBefore({ text, ast }, at) {
  const comment = ast.comments.find(
    ({ type, range, value }) =>
      type === "Block" &&
      value.startsWith("*") &&
      range[1] <= at &&
      text.slice(range[1], at).trim() === "",
  );
  return comment?.value
    .slice(1)
    .replaceAll(/^[ \t]*\* ?/gm, "")
    .trim();
}

const members = new Set([
  "TSPropertySignature",
  "TSMethodSignature",
  "TSCallSignatureDeclaration",
  "TSConstructSignatureDeclaration",
  "TSIndexSignature",
  "PropertyDefinition",
  "MethodDefinition",
  "TSAbstractPropertyDefinition",
  "TSAbstractMethodDefinition",
]);

function isPrivate({ key, accessibility }) {
  return key?.type === "PrivateIdentifier" || accessibility === "private";
}

/**
 * The fields and methods in a declaration that want a docstring, nested ones too:
 * { name, node, docstring }.
 */
export function membersOf(module, declaration) {
  const list = [];
  walk(declaration, (node) => {
    // What stands after `extends` is a pattern, no declaration.
    if (node.type === "TSConditionalType") return false;
    if (!members.has(node.type) || isPrivate(node)) return true;
    const name = node.key
      ? module.text.slice(...node.key.range)
      : node.type.replace(/^TS|(Declaration|Signature)$/g, "");
    list.push({ name, node, docstring: docstringBefore(module, node.range[0]) });
    return true;
  });
  return list;
}

/** Everything in a module that wants a docstring: { what, has }. */
function wanted(module) {
  const list = [];
  const isBlock = ({ type }) => type === "TSModuleDeclaration"; // declare global { … }
  const statements = module.ast.body.flatMap((statement) =>
    isBlock(statement) ? statement.body.body : [statement],
  );
  for (const statement of statements) {
    const declaration = declarationIn(statement);
    if (!declaration) continue;
    const name = nameOf(declaration);
    const add = (what, docstring) =>
      list.push({ what: `${module.name}: ${what}`, has: docstring !== undefined });
    add(name, docstringBefore(module, statement.range[0]));
    // tsc writes the type of a constant itself, without comments.
    if (declaration.type === "VariableDeclaration" && declaration.kind === "const") continue;
    for (const member of membersOf(module, declaration))
      add(`${name}.${member.name}`, member.docstring);
  }
  return list;
}

/** What has no docstring in a declaration file with this name and text. */
export async function undocumented(name, text) {
  const module = { name, text, ast: await parseDeclarations(text, name) };
  return wanted(module)
    .filter(({ has }) => !has)
    .map(({ what }) => what);
}

/** Throws where a public declaration has no docstring; returns how many have one. */
export async function checkDocs() {
  const modules = await withDeclarations(readModules);
  const all = [...modules.values()].flatMap(wanted);
  const missing = all.filter(({ has }) => !has).map(({ what }) => what);
  if (missing.length > 0)
    throw new Error(
      `${missing.length} of ${all.length} public declarations have no docstring ` +
        `(/** … */ above them in js-sdk/src):\n  ${missing.join("\n  ")}`,
    );
  return all.length;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  try {
    console.log(`all ${await checkDocs()} public declarations have a docstring`);
  } catch (error) {
    console.error(`check-docs: ${error.message}`);
    process.exitCode = 1;
  }
}
