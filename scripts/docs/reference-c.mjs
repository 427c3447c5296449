// The reference of the C interface as Markdown, from the comments of tinyvlm.h. Fails where a
// public name has none.
import { anchorMaker } from "../check-documents.mjs";

/** A comment's text without its stars. */
const commentText = (comment) =>
  comment
    .replace(/^\/\* ?/, "")
    .replace(/ ?\*\/$/, "")
    .replaceAll(/^ ?\* ?/gm, "")
    .trim();

/** Comments are plain text: what Markdown would read as its own signs is escaped. */
const prose = (text, anchors) =>
  text
    .replaceAll(/[\\*[\]<>{}#|~]/g, "\\$&")
    .replaceAll(/\b(tvlm_\w+|TVLM_\w+)\b/g, (word) =>
      anchors.has(word) ? `[\`${word}\`](#${anchors.get(word)})` : `\`${word}\``,
    );

const title = "C reference";
const sectionTitle = (section) => `${section[0].toUpperCase()}${section.slice(1)}`;

/** The anchors of the page's headings, by the declared name. */
function anchorsOf(sections) {
  const anchorOf = anchorMaker();
  anchorOf(title);
  const anchors = new Map();
  for (const { section, declarations } of sections) {
    anchorOf(sectionTitle(section));
    for (const { name } of declarations) anchors.set(name, anchorOf(name));
  }
  return anchors;
}

/**
 * What a header declares between its first section's line and its end:
 * [{ section, declarations: [{ name, comment, code, parts: [{ name, comment }] }] }]. Parts are
 * enumerators and fields.
 */
export function parseHeader(text) {
  const sections = [];
  // A section's line, a comment, a preprocessor's line, or a declaration up to its semicolon.
  const tokens =
    /\/\* -{4} (.+?) -+ \*\/|(\/\*[^]*?\*\/)|#define (TVLM_\w+) (\S+)$|(^(?:TVLM_EXPORT|typedef|enum)\b[^]*?;$(?!\s*\/\*.*\*\/\n *\w+ *[,;=]))/gm;
  const begin = text.search(/\/\* -{4} /);
  if (begin < 0) throw new Error("wanted a line /* ---- section ---- */ in the header, found none");
  let comment;
  for (const [, section, found, macro, value, statement] of text.slice(begin).matchAll(tokens)) {
    if (section !== undefined) sections.push({ section, declarations: [] });
    else if (found !== undefined) comment = commentText(found);
    else {
      const code = macro ? `#define ${macro} ${value}` : statement.replace(/^TVLM_EXPORT /, "");
      sections.at(-1).declarations.push({ ...nameAndParts(code, macro), comment, code });
      comment = undefined;
    }
  }
  return sections;
}

function nameAndParts(code, macro) {
  if (macro) return { name: macro, parts: [] };
  const body = /\{([^]*)\}/.exec(code)?.[1] ?? "";
  const parts = [];
  let before;
  for (const [, above, name, after] of body.matchAll(
    /^ *(\/\*[^]*?\*\/)$|^ *(?:\w+ )?(\w+)(?: = \w+)?[,;]? *(\/\*[^]*?\*\/)?$/gm,
  )) {
    if (above !== undefined) before = commentText(above);
    else {
      parts.push({ name, comment: after ? commentText(after) : before });
      before = undefined;
    }
  }
  const name =
    /^typedef (?:enum|struct) (\w+)/.exec(code)?.[1] ??
    /\(\*(\w+)\)/.exec(code)?.[1] ??
    /^typedef int \(?\*?(\w+)/.exec(code)?.[1] ??
    /(\w+)\(/.exec(code)?.[1] ??
    parts[0]?.name;
  if (!name) throw new Error(`wanted a declaration with a name, found: ${code}`);
  return { name, parts };
}

/** The names in a header's text that have no comment. */
export function uncommented(text) {
  return parseHeader(text).flatMap(({ declarations }) =>
    declarations.flatMap(({ name, comment, parts }) => [
      ...(comment ? [] : [name]),
      ...parts.filter((part) => !part.comment).map((part) => part.name),
    ]),
  );
}

/** The reference of the header with this text. Throws where a name has no comment. */
export function cReference(text) {
  const missing = uncommented(text);
  if (missing.length > 0)
    throw new Error(`cpp/api/tinyvlm.h: no comment above or beside ${missing.join(", ")}`);
  const sections = parseHeader(text);
  const anchors = anchorsOf(sections);
  const head = commentText(/^\/\*[^]*?\*\//.exec(text)[0]).split(/\n\n/);
  const blocks = [`# ${title}`, "[c-api.md](c-api.md) is the guide."];
  for (const paragraph of head)
    blocks.push(
      paragraph.startsWith("    ")
        ? `\`\`\`c\n${paragraph.replaceAll(/^ {4}/gm, "")}\n\`\`\``
        : prose(paragraph, anchors),
    );
  for (const { section, declarations } of sections) {
    blocks.push(`## ${sectionTitle(section)}`);
    // Enumerators and fields are explained in the code.
    for (const { name, comment, code } of declarations)
      blocks.push(`### ${name}`, `\`\`\`c\n${code}\n\`\`\``, prose(comment, anchors));
  }
  return blocks.join("\n\n");
}
