// The code in the documents: where it stands and what is done to it by the tests. JavaScript,
// TypeScript, HTML, shell and C are checked or run; a block that cannot be says why, and readers
// see it (`js unchecked: why`; `js types: why` is checked, but not run). An indented block is shell.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { root } from "../toolchain.mjs";
import { trackedFiles } from "../tracked-files.mjs";
import { codeBlocks } from "./markdown.mjs";

/**
 * Languages whose blocks are tested, and those that are only shown (Kotlin's are run by a suite of
 * its own: mobile/android/src/test, GuideTest.kt).
 */
export const tested = ["js", "ts", "html", "sh", "c", "json"];
// Swift: scripts/swift.test.mjs compares it with what is run.
const shown = ["text", "cmake", "nginx", "http", "css", "kotlin", "swift"];

// Written by a script, from what is tested otherwise; and the past.
const left = ["js-sdk/api-report.md", "CHANGELOG.md"];

/** The blocks of one document: { path, line, language, word, reason, code }. Throws on others. */
export function snippetsIn(path, text) {
  return codeBlocks(text).map(({ indented, ...block }) => {
    const language = indented ? "sh" : block.language;
    if (![...tested, ...shown].includes(language) && block.word !== "unchecked")
      throw new Error(
        `${path}:${block.line}: wanted a code block of ${[...tested, ...shown].join(", ")}, or ` +
          `one that says why it is not tested ("unchecked: why"), found "${language}"`,
      );
    return { path, ...block, language };
  });
}

/** All blocks that the tests are to check, of one language or of all. */
export function snippets(language) {
  return trackedFiles()
    .filter((path) => path.endsWith(".md") && !path.startsWith(".github/") && !left.includes(path))
    .flatMap((path) => snippetsIn(path, readFileSync(join(root, path), "utf8")))
    .filter(
      (snippet) => snippet.word !== "unchecked" && (!language || snippet.language === language),
    );
}
