// The frame of a documentation page: head, navigation, content.
import { posix } from "node:path";
import { escapeHtml } from "./markdown.mjs";

const heading = ({ text, anchor }) => `<li><a href="#${anchor}">${escapeHtml(text)}</a></li>`;

/** The headings of depth 2 on this page, below its entry in the navigation. */
function outline({ headings }) {
  const seconds = headings.filter(({ depth }) => depth === 2);
  return seconds.length > 1 ? `<ul class="outline">${seconds.map(heading).join("")}</ul>` : "";
}

function entry(page, current, relative) {
  const isCurrent = page === current;
  return (
    `<li><a href="${relative(page.url)}"${isCurrent ? ' aria-current="page"' : ""}>` +
    `${escapeHtml(page.title)}</a>${isCurrent ? outline(page) : ""}</li>`
  );
}

function neighbours(sections, current, relative) {
  const all = sections.flatMap(({ pages }) => pages);
  const index = all.indexOf(current);
  if (index < 0) return "";
  const link = (page, rel, words) =>
    page
      ? `<a rel="${rel}" href="${relative(page.url)}"><small>${words}</small> ` +
        `${escapeHtml(page.title)}</a>`
      : "<span></span>";
  return (
    '<nav class="neighbours" aria-label="Before and after">' +
    link(all[index - 1], "prev", "Before") +
    link(all[index + 1], "next", "Next") +
    "</nav>"
  );
}

/**
 * The whole page. `current` and the sections' pages: { url, title, html, headings }; URLs are paths
 * from the site's root, and everything is linked relatively, so that the site works in any folder
 * and from a disk.
 */
export function pageHtml(current, sections) {
  const relative = (url) => posix.relative(posix.dirname(current.url), url) || ".";
  const top = relative(".");
  const asset = (name) => relative(`assets/${name}`);
  const navigation = sections
    .map(
      ({ title, pages }) =>
        `<h2>${escapeHtml(title)}</h2><ul>` +
        `${pages.map((page) => entry(page, current, relative)).join("")}</ul>`,
    )
    .join("");
  const title = current.title === "Tiny-VLM" ? "Tiny-VLM" : `${current.title} · Tiny-VLM`;
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8" />
<meta name="viewport" content="width=device-width, initial-scale=1" />
<meta name="color-scheme" content="light dark" />
<title>${escapeHtml(title)}</title>
<link rel="icon" href="${asset("icon.svg")}" type="image/svg+xml" />
<link rel="stylesheet" href="${asset("base.css")}" />
<link rel="stylesheet" href="${asset("style.css")}" />
<script src="${asset("page.js")}" data-root="${top}" defer></script>
</head>
<body>
<a class="skip" href="#content">Skip to the content</a>
<header>
<a class="brand" href="${relative("index.html")}"><img src="${asset("icon.svg")}" alt="" /> Tiny-VLM</a>
<search>
<label for="search" class="unseen">Search the documentation</label>
<input id="search" type="search" placeholder="Search (press /)" autocomplete="off" role="combobox"
 aria-expanded="false" aria-controls="results" aria-autocomplete="list" hidden />
<ul id="results" role="listbox" aria-label="Search results" hidden></ul>
<p id="search-status" role="status" class="unseen"></p>
</search>
</header>
<div class="columns">
<details class="menu"><summary>Contents</summary>
<nav class="contents" aria-label="Documentation">${navigation}</nav></details>
<main id="content" tabindex="-1">
${current.html}${neighbours(sections, current, relative)}
</main>
</div>
</body>
</html>
`;
}
