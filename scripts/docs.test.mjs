// What the documentation's site is made from is read rightly, and what is wrong in it is found.
import assert from "node:assert/strict";
import { test } from "node:test";
import { linkedPages } from "./docs.mjs";
import { codeBlocks, renderMarkdown } from "./docs/markdown.mjs";
import { sectionsOf } from "./docs/navigation.mjs";
import { cReference, parseHeader, uncommented } from "./docs/reference-c.mjs";

const at = (files) => ({ textOf: (path) => files[path], exists: (path) => path in files });

test("the navigation is docs/README.md's lists, in their order", () => {
  const text =
    "# Docs\n\n**Use it**\n\n- [README](../README.md): see [x](x.md).\n- [a](a.md), [b](b/README.md).\n";
  assert.deepEqual(sectionsOf(text), [
    { title: "Use it", pages: ["README.md", "docs/a.md", "docs/b/README.md"] },
  ]);
  assert.throws(() => sectionsOf("- [a](a.md)\n"), /wanted a title in bold before the list/);
  assert.throws(() => sectionsOf("# Docs\n"), /lists no pages/);
});

test("linked pages are followed, and links are written for the site", () => {
  const { pages, files } = linkedPages(
    ["README.md"],
    at({
      "README.md": "# Top\n\n[a](docs/a.md#two) ![c](c.png) [out](https://example.org/)\n",
      "docs/a.md": "# A\n\n## Two\n\n[up](../README.md) [here](#two) [c](../x.c)\n",
      "c.png": "",
      "x.c": "",
    }),
  );
  assert.deepEqual([...pages.keys()], ["README.md", "docs/a.md"]);
  assert.deepEqual([...files].sort(), ["c.png", "x.c"]);
  assert.match(
    pages.get("README.md").html,
    /href="docs\/a\.html#two".*src="c\.png".*example\.org/s,
  );
  assert.match(pages.get("docs/a.md").html, /href="\.\.\/index\.html".*href="#two".*"\.\.\/x\.c"/s);
});

test("a link to a file or a heading that is not there fails, with its page", () => {
  const files = { "README.md": "# Top\n\n[a](a.md) [b](#b) [c](c.png) [d](README.md#top)\n" };
  assert.throws(
    () => linkedPages(["README.md"], at(files)),
    (error) => {
      assert.deepEqual(error.message.split("\n  ").slice(1), [
        "README.md: a.md is not there",
        "README.md: #b: README.md has no such heading",
        "README.md: c.png is not there",
      ]);
      return true;
    },
  );
});

test("HTML in Markdown is not passed on, and code is escaped", () => {
  const { html, parts } = renderMarkdown(
    "# A <b>\n\n<!-- x --><script>1</script>\n\n```html\n<b>\n```\n\n## B `c`\n\nText.\n",
    (href) => href,
  );
  assert.doesNotMatch(html, /<script|<b>|<!--/);
  assert.match(html, /data-language="html"><code>&#60;b&#62;/);
  assert.deepEqual(
    parts.map(({ heading, anchor }) => [heading, anchor]),
    [
      ["A ", "a-b"],
      ["B c", "b-c"],
    ],
  );
});

test("code blocks come with their line, language and the reason why they are not run", () => {
  const text =
    "# A\n\n    npm test\n\n- x\n\n  ```js unchecked: needs a camera\n  a;\n  ```\n\n```js node\nb;\n```\n";
  assert.deepEqual(
    codeBlocks(text).map(({ line, language, word, reason, indented, code }) => [
      line,
      language,
      reason ?? word,
      indented,
      code,
    ]),
    [
      [3, "", undefined, true, "npm test"],
      [7, "js", "needs a camera", false, "a;"],
      [11, "js", "node", false, "b;"],
    ],
  );
});

const header = `/* A library.
 * Two lines. */
#include <stdint.h>
/* ---- things ------ */

/* The version. */
#define TVLM_ONE 1

/* A thing. */
typedef struct tvlm_thing tvlm_thing;

/* Makes one from \`options\`
 * of [2] and *error. */
TVLM_EXPORT tvlm_thing* tvlm_thing_create(const char* options,
                                          int* error);

typedef enum tvlm_state TVLM_ENUM_INT {
  TVLM_A = 0, /* the first */
  TVLM_B = 1
} tvlm_state;
TVLM_EXPORT void tvlm_thing_free(tvlm_thing* thing);
#endif
`;

test("the C header's names are found, and those without a comment", () => {
  const [{ section, declarations }] = parseHeader(header);
  assert.equal(section, "things");
  assert.deepEqual(
    declarations.map(({ name }) => name),
    ["TVLM_ONE", "tvlm_thing", "tvlm_thing_create", "tvlm_state", "tvlm_thing_free"],
  );
  assert.deepEqual(uncommented(header), ["tvlm_state", "TVLM_B", "tvlm_thing_free"]);
  assert.throws(() => cReference(header), /no comment above or beside tvlm_state, TVLM_B/);
  const whole = header
    .replace("typedef enum", "/* S. */\ntypedef enum")
    .replace("TVLM_B = 1", "TVLM_B = 1 /* the last */")
    .replace("TVLM_EXPORT void", "/* Ends a tvlm_thing. */\nTVLM_EXPORT void");
  const text = cReference(whole);
  assert.match(text, /### tvlm_thing_create\n\n```c\ntvlm_thing\* tvlm_thing_create\(const/);
  assert.match(text, /of \\\[2\\\] and \\\*error/);
  assert.match(text, /Ends a \[`tvlm_thing`\]\(#tvlm_thing\)/);
  assert.match(text, /TVLM_B = 1 \/\* the last/);
});
