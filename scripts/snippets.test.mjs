// The code in the documents holds: JavaScript and TypeScript pass the type check against the built
// package (tests-browser/snippets.spec.mjs runs them), C compiles, commands exist with their flags,
// and those that ask the command line are run.
import assert from "node:assert/strict";
import { execFileSync, spawnSync } from "node:child_process";
import { copyFileSync, mkdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { before, test } from "node:test";
import { commandsIn, wrongIn } from "./docs/commands.mjs";
import { snippets, snippetsIn } from "./docs/snippets.mjs";
import { root } from "./toolchain.mjs";

// In the repository, so that `tiny-vlm` is the package itself.
const folder = join(root, "build", "snippets");
const at = (name) => join(folder, name);
const place = ({ path, line }) => `${path}:${line}`;

before(() => {
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  const samples = join(root, "examples-web", "samples");
  copyFileSync(join(samples, "sample-1-1024.jpg"), at("image.jpg"));
  copyFileSync(join(samples, "sample-1.png"), at("image.png"));
  for (const name of ["model.gguf", "fastvlm.gguf"])
    copyFileSync(join(root, "model", "tiny-vlm-demo.gguf"), at(name));
});

test("a block of an unknown language is refused, with its place", () => {
  assert.throws(
    () => snippetsIn("a.md", "# A\n\n```javascript\nx\n```\n"),
    /a\.md:3: wanted.*"java/,
  );
  assert.throws(() => snippetsIn("a.md", "```\nx\n```\n"), /a\.md:1: wanted a code block of js/);
  assert.equal(snippetsIn("a.md", "x\n\n    npm test\n")[0].language, "sh");
  assert.equal(snippetsIn("a.md", "```jsx unchecked: no React\nx\n```\n")[0].language, "jsx");
});

test("wrong commands, flags, presets and scripts are found", () => {
  const wrong = (code) => commandsIn(code).flatMap(wrongIn);
  assert.deepEqual(wrong('npx tiny-vlm ask image.jpg "Why --x?" --max-tokens 3 # --no\n'), []);
  assert.deepEqual(wrong("npm run bench -- --quick && npm run docs -- \\\n  --serve"), []);
  assert.deepEqual(wrong("npx tiny-vlm ask --colour\ntiny-vlm pulled x"), [
    "tiny-vlm ask has no flag --colour",
    'tiny-vlm has no command "pulled"',
  ]);
  assert.deepEqual(wrong("npm run doc\nnpm run docs -- --sell"), [
    'package.json has no script "doc"',
    "scripts/docs.mjs has no flag --sell",
  ]);
  assert.deepEqual(wrong("cmake --preset fast && cmake --build build/x --target engine_tests"), [
    'CMakePresets.json has no preset "fast"',
    'no CMakeLists.txt has a target "engine_tests"',
  ]);
  assert.deepEqual(wrong("node scripts/none.mjs\nrmdir x"), [
    "scripts/none.mjs is not there",
    "rmdir is no program that is known here",
  ]);
});

test("JavaScript and TypeScript pass the type check", () => {
  const all = [...snippets("js"), ...snippets("ts")];
  assert.ok(all.length > 0);
  for (const snippet of all) {
    // On its own line, so that the compiler's line numbers are the document's.
    const text = "\n".repeat(snippet.line) + snippet.code + "\nexport {};\n";
    const name = `${snippet.path.replaceAll("/", "~")}.${snippet.line}`;
    writeFileSync(at(`${name}.m${snippet.language}`), text);
  }
  copyFileSync(join(root, "scripts", "docs", "snippet-globals.d.ts"), at("globals.d.ts"));
  // Names and types are checked, not what a page knows of its own elements.
  const loose = ["noImplicitAny", "strictNullChecks", "exactOptionalPropertyTypes"];
  const unused = ["noUnusedLocals", "noUnusedParameters"];
  const options = Object.fromEntries([...loose, ...unused].map((name) => [name, false]));
  const config = { extends: "../../tsconfig.json", compilerOptions: options, include: ["*"] };
  writeFileSync(at("tsconfig.json"), JSON.stringify(config));
  const { stdout } = spawnSync(
    process.execPath,
    [join(root, "node_modules", "typescript", "bin", "tsc"), "-p", folder, "--pretty", "false"],
    { cwd: folder, encoding: "utf8" },
  );
  assert.equal(stdout.replaceAll("~", "/"), "");
});

test("JavaScript for Node runs", { timeout: 120_000 }, () => {
  const all = snippets("js").filter(({ word }) => word === "node");
  for (const snippet of all) {
    const script = at(`${snippet.path.replaceAll("/", "~")}.${snippet.line}.mjs`);
    const { status, stderr } = spawnSync(process.execPath, [script], {
      cwd: folder,
      encoding: "utf8",
      env: { ...process.env, TINYVLM_CACHE: at("cache") },
    });
    assert.equal(status, 0, `${place(snippet)}: ${stderr}`);
  }
});

// What the statements of a fragment stand in.
const cFrame = (code) =>
  /^#include/m.test(code)
    ? code
    : `#include <stdio.h>
#include "tinyvlm.h"
void fail(const char* why);
void example(const unsigned char* png, size_t png_bytes);
void example(const unsigned char* png, size_t png_bytes) {
${code}
}
`;

test("C compiles without warnings", () => {
  for (const snippet of snippets("c")) {
    const { status, stderr } = spawnSync(
      process.env.CC ?? "cc",
      ["-std=c99", "-Wall", "-Werror", "-fsyntax-only", `-I${join(root, "cpp", "api")}`].concat([
        "-x",
        "c",
        "-",
      ]),
      { input: cFrame(snippet.code), encoding: "utf8" },
    );
    assert.equal(status, 0, `${place(snippet)}: ${stderr}`);
  }
});

test("JSON parses", () => {
  for (const snippet of snippets("json"))
    assert.doesNotThrow(() => JSON.parse(snippet.code), place(snippet));
});

test("commands are there, and so are their flags", () => {
  const wrong = snippets("sh").flatMap((snippet) =>
    commandsIn(snippet.code).flatMap((command) =>
      wrongIn(command).map((sentence) => `${place(snippet)}: ${sentence}`),
    ),
  );
  assert.deepEqual(wrong, []);
});

test("questions to the command line are answered", { timeout: 120_000 }, () => {
  const files = ["image.jpg", "image.png", "model.gguf", "fastvlm.gguf", "none", "-"];
  const isFile = (word) => /\.(jpg|png|gguf)$/.test(word);
  const asked = snippets("sh")
    .flatMap(({ code }) => commandsIn(code))
    .filter(
      ([program, name, command]) => program === "npx" && name === "tiny-vlm" && command === "ask",
    )
    .filter((words) => words.every((word) => !isFile(word) || files.includes(word)))
    .filter((words) => !words.some((word) => /^(hf|https?):/.test(word)));
  assert.ok(asked.length > 0);
  for (const [, , ...words] of asked) {
    const answer = execFileSync(process.execPath, [join(root, "dist", "cli.mjs"), ...words], {
      cwd: folder,
      encoding: "utf8",
    });
    assert.match(answer, /\w/, words.join(" "));
  }
});
