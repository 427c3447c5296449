// The order of the documentation: docs/README.md's lists, which people read on the repository's
// pages, too.
import { posix } from "node:path";
import { Lexer } from "marked";

/** The Markdown file whose lists are the navigation. */
export const listPath = "docs/README.md";

/**
 * The sections of the list in `text`: a paragraph in bold names one, the list after it has its
 * pages. [{ title, pages: [path from the root, …] }]. Throws where a list has no title or nothing
 * is listed.
 */
export function sectionsOf(text) {
  const sections = [];
  let title;
  for (const token of new Lexer().lex(text)) {
    if (
      token.type === "paragraph" &&
      token.tokens.length === 1 &&
      token.tokens[0].type === "strong"
    )
      title = token.tokens[0].text;
    if (token.type !== "list") continue;
    if (title === undefined)
      throw new Error(`${listPath}: wanted a title in bold before the list ${token.raw.trim()}`);
    sections.push({ title, pages: token.items.flatMap(linksOf).map(fromRoot) });
    title = undefined;
  }
  if (sections.length === 0) throw new Error(`${listPath} lists no pages`);
  return sections;
}

const fromRoot = (href) => posix.join(posix.dirname(listPath), href);

/** The addresses of the links before an item's colon (or of all, where it has none). */
function linksOf(item) {
  const links = [];
  const visit = (token) => {
    if (token.type === "link") links.push(token.href);
    for (const child of token.tokens ?? []) {
      if (child.type === "text" && !child.tokens && /^\s*:/.test(child.text)) break;
      visit(child);
    }
  };
  for (const token of item.tokens) visit(token);
  return links;
}
