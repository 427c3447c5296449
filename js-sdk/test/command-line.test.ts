// The parts of the command line that need no engine: which images are meant, rows of a batch as
// text and as files, help, colours.

import assert from "node:assert/strict";
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { fileRows } from "../src/cli/batch-output.js";
import { rowFormats, type Row } from "../src/cli/batch-rows.js";
import { commands } from "../src/cli/commands.js";
import { allOutcomes, exitCodeOf } from "../src/cli/exit-codes.js";
import { commandHelp, mainHelp } from "../src/cli/help.js";
import { imagePaths } from "../src/cli/image-paths.js";
import { duration, painter } from "../src/cli/terminal.js";
import { errorNumbers } from "../src/protocol/errors.js";

const folder = mkdtempSync(join(tmpdir(), "tiny-vlm-command-line-"));
after(() => rmSync(folder, { recursive: true }));

const images = join(folder, "images");
mkdirSync(join(images, "deep", "deeper"), { recursive: true });
mkdirSync(join(images, ".hidden"));
for (const name of [
  ...["b.png", "a.JPG", "c.jpeg", "notes.txt", "[x].png", ".dot.png"],
  ...["deep/d.png", "deep/deeper/e.png", ".hidden/f.png"],
])
  writeFileSync(join(images, name), "");
symlinkSync(join(images, "b.png"), join(images, "link.png"));

/** What the words mean, without the folder of all. */
const meant = (...words: string[]) =>
  imagePaths(words.map((word) => (word.includes(":") ? word : join(images, word)))).map((path) =>
    path.replace(`${images}/`, ""),
  );

test("folders and patterns give the PNG and JPEG files in them, by name and once", () => {
  assert.deepEqual(meant(""), [".dot.png", "[x].png", "a.JPG", "b.png", "c.jpeg", "link.png"]);
  assert.deepEqual(meant("*"), ["[x].png", "a.JPG", "b.png", "c.jpeg", "link.png"]);
  assert.deepEqual(meant("?.{png,jpeg}"), ["b.png", "c.jpeg"]);
  assert.deepEqual(meant("[a-b].*"), ["a.JPG", "b.png"]);
  assert.deepEqual(meant("[!b]*.png"), ["[x].png", "link.png"]);
  assert.deepEqual(meant("**/*.png"), [
    ...["[x].png", "b.png", "link.png", "deep/d.png", "deep/deeper/e.png"],
  ]);
  assert.deepEqual(meant("**"), meant("**/*"));
  assert.deepEqual(meant("d*/*"), ["deep/d.png"]);
  assert.deepEqual(meant("deep/**/e.png"), ["deep/deeper/e.png"]);
  assert.deepEqual(meant(".dot*"), [".dot.png"]);
  assert.deepEqual(meant("b.png", "b.*"), ["b.png"]);
});

test("a file counts as it is named, whatever it holds; so does a URL", () => {
  assert.deepEqual(meant("[x].png"), ["[x].png"]);
  assert.deepEqual(meant("notes.txt"), ["notes.txt"]);
  assert.deepEqual(meant("https://x.example/*.png"), ["https://x.example/*.png"]);
  assert.deepEqual(meant("gone.png", "b.png"), ["gone.png", "b.png"]);
});

test("words that mean no image are an error", () => {
  assert.throws(() => meant("gone.png"), { code: "not_found", message: /gone\.png/ });
  assert.throws(() => meant("*.gif"), { code: "not_found", message: /\*\.gif" gives none/ });
  assert.throws(() => meant("deep/deeper/x*"), { code: "not_found" });
  assert.throws(() => meant("[z-a].png"), { code: "invalid_argument", message: /"\[z-a\]\.png"/ });
  assert.throws(() => imagePaths([""]), { code: "invalid_argument" });
});

const answered = (image: string, answer: string): Row => ({
  ...{ image, question: 'What, "really"?', answer, finishReason: "stop", tokens: 3, ms: 120 },
  error: null,
});
const failed = (image: string): Row => ({
  ...{ image, question: "Q", answer: null, finishReason: null, tokens: null, ms: null },
  error: "invalid_image: 3 bytes, found\nso",
});
const rows = [
  answered("a.png", "A pencil."),
  answered('b "c", d.png', 'Two lines,\r\n"quoted" – Größe 🖼'),
  failed("e.png"),
  answered("f.png", ""),
];

for (const [name, format] of Object.entries(rowFormats)) {
  const text = format.header + rows.map(format.write).join("");

  test(`${name}: what is written is read again`, () => {
    assert.deepEqual(format.read(text, "x"), { rows, whole: text });
    assert.deepEqual(format.read("", "x"), { rows: [], whole: "" });
  });

  test(`${name}: cut at any byte, the whole rows before are there and a run goes on`, () => {
    const bytes = Buffer.from(text);
    const path = join(folder, `cut.${name}`);
    for (let length = 0; length < bytes.length; length++) {
      writeFileSync(path, bytes.subarray(0, length));
      const output = fileRows(path, format, "continue");
      assert.deepEqual(output.earlier, rows.slice(0, output.earlier.length), `at ${length}`);
      for (const row of rows.slice(output.earlier.length)) output.add(row);
      output.close();
      assert.equal(readFileSync(path, "utf8"), text, `at ${length}`);
    }
  });

  test(`${name}: a file of something else is an error and stays as it is`, () => {
    const path = join(folder, `other.${name}`);
    for (const other of ["hello", "hello\n", "a,b\n1,2\n", "{}\n", "\x89PNG\r\n\x1a\n", "[1,2"]) {
      writeFileSync(path, other);
      assert.throws(() => fileRows(path, format, "continue"), {
        code: "invalid_file",
        message: /other\.\w+, line 1: wanted a row/,
      });
      assert.equal(readFileSync(path, "utf8"), other);
    }
    writeFileSync(path, `${text}${text.slice(0, 3)}\n`);
    assert.throws(() => fileRows(path, format, "retry"), {
      code: "invalid_file",
      message: /line \d+: wanted a row that tiny-vlm batch wrote, found/,
    });
  });

  test(`${name}: retry leaves failed rows out, overwrite all`, () => {
    const path = join(folder, `again.${name}`);
    writeFileSync(path, text + format.write(rows[0]!).slice(0, 8));
    const retry = fileRows(path, format, "retry");
    const kept = rows.filter(({ error }) => error === null);
    assert.deepEqual(retry.earlier, kept);
    retry.add(rows[2]!);
    retry.close();
    assert.deepEqual(format.read(readFileSync(path, "utf8"), "x").rows, [...kept, rows[2]]);
    fileRows(path, format, "overwrite").close();
    assert.equal(readFileSync(path, "utf8"), format.header);
    assert(!existsSync(`${path}.new`));
  });
}

test("where an output cannot be, the error names it", () => {
  const { jsonl } = rowFormats;
  assert.throws(() => fileRows(join(folder, "gone", "o.jsonl"), jsonl, "continue"), {
    code: "not_found",
    message: /gone/,
  });
  assert.throws(() => fileRows(folder, jsonl, "continue"), {
    code: "invalid_argument",
    message: /wanted a file for --output/,
  });
});

test("every exit code has one meaning, and errors have their own number", () => {
  const numbers = allOutcomes.map(exitCodeOf);
  assert.equal(new Set(numbers).size, numbers.length);
  for (const [code, number] of Object.entries(errorNumbers))
    assert.equal(exitCodeOf(code as keyof typeof errorNumbers), number);
});

test("help fits 80 columns, names no document, and names every flag and every command", () => {
  const plain = (text: string) => text;
  const main = mainHelp(commands, plain);
  const texts = [main];
  for (const command of commands) {
    assert(main.includes(`tiny-vlm ${command.name} `), command.name);
    if ("isTool" in command) continue;
    const help = commandHelp(command, plain);
    for (const flag of Object.keys(command.flags)) assert(help.includes(flag), flag);
    for (const [example] of command.examples) assert(help.includes(example));
    texts.push(help);
  }
  for (const text of texts) {
    assert.doesNotMatch(text, /docs\/|\.md\b/); // the package has none
    for (const line of text.split("\n")) assert(line.length <= 80, line);
  }
});

test("colours are for terminals, unless the environment decides", () => {
  const isColoured = (isTTY: boolean, environment: Record<string, string>) =>
    painter({ isTTY }, environment)("red")("x") !== "x";
  assert.equal(isColoured(true, {}), true);
  assert.equal(isColoured(false, {}), false);
  assert.equal(isColoured(true, { NO_COLOR: "1" }), false);
  assert.equal(isColoured(true, { NO_COLOR: "" }), true);
  assert.equal(isColoured(true, { TERM: "dumb" }), false);
  assert.equal(isColoured(false, { FORCE_COLOR: "1" }), true);
  assert.equal(isColoured(true, { FORCE_COLOR: "0" }), false);
});

test("durations are for people", () => {
  assert.deepEqual([0.2, 59.5, 61, 3600, 7322].map(duration), [
    ...["1 s", "1 min 0 s", "1 min 1 s", "1 h 0 min", "2 h 2 min"],
  ]);
});
