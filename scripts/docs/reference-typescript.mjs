// The reference of the TypeScript API as Markdown, from the declarations that the package ships
// and their docstrings. Every public declaration has one: check-docs.mjs fails otherwise, and so
// does this.
import { publicDeclarations, textOf } from "../api-report.mjs";
import { docstringBefore, membersOf } from "../check-docs.mjs";

/** Docstrings are prose with code in backticks; a `<` outside of those is a character. */
const prose = (docstring) =>
  docstring
    .split(/(`[^`]*`)/)
    .map((part, index) => (index % 2 === 1 ? part : part.replaceAll("<", "&lt;")))
    .join("");

/** A declaration without its members: what stands before `{`. */
function headOf(module, node) {
  const text = textOf(module, node);
  if (!/^(TSInterface|Class)/.test(node.type)) return text;
  return text.slice(0, text.indexOf("{")).trim();
}

function kindOf(node) {
  if (node.type.startsWith("Class")) return "class";
  if (node.type.startsWith("TSInterface")) return "interface";
  if (node.type.startsWith("TSTypeAlias")) return "type";
  return node.type.startsWith("Variable") ? "constant" : "function";
}

const block = (code) => `\`\`\`ts\n${code}\n\`\`\``;

function described(docstring, what) {
  if (!docstring) throw new Error(`${what} has no docstring (/** … */ above it in js-sdk/src)`);
  return prose(docstring);
}

/** Members by name, so that overloads are one entry. */
function entriesOf(module, nodes) {
  const byName = new Map();
  for (const node of nodes) {
    // The members of a type alias are in its text; so are those of a constant.
    if (!/^(TSInterface|Class)/.test(node.type)) continue;
    for (const member of membersOf(module, node)) {
      const known = byName.get(member.name) ?? [];
      byName.set(member.name, [...known, member]);
    }
  }
  return byName;
}

function declarationText({ name, module, nodes, twice }) {
  const title = twice ? `${name} (${module.name.includes("node") ? "Node" : "pages"})` : name;
  const blocks = [`## ${title}`];
  for (const node of nodes) {
    // The docstring stands before `export`, where there is one.
    const statement = module.ast.body.find(
      (candidate) => candidate === node || candidate.declaration === node,
    );
    blocks.push(
      `_${kindOf(node)}_`,
      described(docstringBefore(module, statement.range[0]), name),
      block(headOf(module, node)),
    );
  }
  for (const [member, list] of entriesOf(module, nodes))
    blocks.push(
      `### ${name}.${member}`,
      block(list.map(({ node }) => textOf(module, node)).join("\n")),
      ...list.map(({ docstring }) => described(docstring, `${name}.${member}`)),
    );
  return blocks.join("\n\n");
}

/** The reference of the declarations in `folder` (dist/types, or freshly emitted ones). */
export async function typescriptReference(folder) {
  const { declarations } = await publicDeclarations(folder);
  const [exported, others] = [true, false].map((wanted) =>
    declarations.filter((declaration) => declaration.exported === wanted),
  );
  return [
    "# TypeScript reference",
    "Every public name of the package, from its sources. [sdk.md](sdk.md) is the guide.",
    ...exported.map(declarationText),
    "## Names that those refer to",
    "They cannot be imported by name.",
    ...others.map(declarationText),
  ].join("\n\n");
}
