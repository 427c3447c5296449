// Markdown → HTML for the documentation's pages, with what the site wants to know of each: its
// title, its headings, its links, and its text for the search.
import { Lexer, Parser, Renderer } from "marked";
import { anchorMaker } from "../check-documents.mjs";

export const escapeHtml = (text) =>
  text.replaceAll(/[&<>"]/g, (letter) => `&#${letter.codePointAt(0)};`);

/** The text of a Markdown token as people read it. */
function plainText(token) {
  if (token.type === "html") return "";
  if (token.type === "table")
    return [token.header, ...token.rows].map((row) => row.map(plainText).join(" ")).join("\n");
  const children = token.items ?? token.tokens;
  return children ? children.map(plainText).join(token.items ? "\n" : "") : (token.text ?? "");
}

/**
 * What the info string of a code block says: its language; `word`, how it is run (`js node`); or
 * why it is not tested (`js unchecked: why`), or not run but checked (`js types: why`).
 */
export function infoOf(lang) {
  const [, language, rest] = /^(\S*)\s*(.*)$/.exec(lang ?? "");
  const [, kind, reason] = /^(unchecked|types):\s*(.+)$/.exec(rest) ?? [];
  return { language, word: kind ?? (rest || undefined), reason };
}

class PageRenderer extends Renderer {
  headings = [];
  #anchorOf = anchorMaker();
  #linkOf;
  constructor(linkOf) {
    super();
    this.#linkOf = linkOf;
  }
  heading({ tokens, depth }) {
    const anchor = this.#anchorOf(tokens.map((token) => token.raw).join(""));
    this.headings.push({ depth, text: tokens.map(plainText).join(""), anchor });
    const link =
      depth === 1 ? "" : ` <a class="anchor" href="#${anchor}" aria-label="Link here">#</a>`;
    return `<h${depth} id="${anchor}">${this.parser.parseInline(tokens)}${link}</h${depth}>\n`;
  }
  link({ href, tokens }) {
    return `<a href="${escapeHtml(this.#linkOf(href))}">${this.parser.parseInline(tokens)}</a>`;
  }
  image({ href, text }) {
    return `<img src="${escapeHtml(this.#linkOf(href))}" alt="${escapeHtml(text)}" />`;
  }
  code({ text, lang }) {
    const { language, reason } = infoOf(lang);
    const note = reason
      ? `<figcaption>Not run by the tests: ${escapeHtml(reason)}</figcaption>`
      : "";
    // What can be scrolled must be reached by keyboard.
    return (
      `<figure class="code"><pre tabindex="0" data-language="${escapeHtml(language)}">` +
      `<code>${escapeHtml(text)}\n</code></pre>${note}</figure>\n`
    );
  }
  table(token) {
    return `<div class="table" tabindex="0">${super.table(token)}</div>\n`;
  }
  html() {
    return "";
  }
}

/**
 * Renders a page. `linkOf(href)` gives the address to write for a link or an image. Returns
 * { html, title, headings: [{ depth, text, anchor }], parts: [{ heading, anchor, text }] }: a part
 * is what stands under one heading.
 */
export function renderMarkdown(text, linkOf) {
  const renderer = new PageRenderer(linkOf);
  const tokens = new Lexer().lex(text);
  const html = new Parser({ renderer }).parse(tokens);
  const { headings } = renderer;
  const parts = [];
  let heading = 0;
  for (const token of tokens) {
    if (token.type === "heading") {
      const { text: title, anchor } = headings[heading++];
      parts.push({ heading: title, anchor, text: "" });
    } else if (parts.length > 0 && token.type !== "space")
      parts.at(-1).text += `${plainText(token)}\n`;
  }
  const title = headings.find(({ depth }) => depth === 1)?.text;
  if (title === undefined)
    throw new Error(`wanted a heading of depth 1, found none: ${text.slice(0, 80)}`);
  return { html, title, headings, parts };
}

/** The code blocks of a Markdown text: { language, word, reason, indented, code, line }. */
export function codeBlocks(text) {
  const blocks = [];
  let at = 0;
  const visit = (token) => {
    if (token.type === "code") {
      const found = text.indexOf(token.raw.split("\n")[0], at);
      if (found >= 0) at = found;
      blocks.push({
        ...infoOf(token.lang),
        indented: token.codeBlockStyle === "indented",
        code: token.text,
        line: text.slice(0, at).split("\n").length,
      });
      at += token.raw.split("\n")[0].length;
    }
    for (const child of token.items ?? token.tokens ?? []) visit(child);
  };
  for (const token of new Lexer().lex(text)) visit(token);
  return blocks;
}
