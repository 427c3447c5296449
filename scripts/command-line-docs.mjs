#!/usr/bin/env node
// Writes what `tiny-vlm <command> --help` prints into docs/command-line.md, between
// `<!-- help: COMMAND -->` and `<!-- /help -->` ("tiny-vlm" there is the help without a command).
// Asks the built package (dist/). `--check` writes nothing and fails where the document is not
// current; the tests of the package run it so.
import { execFileSync } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const documentPath = "docs/command-line.md";

function helpOf(command) {
  const args = command === "tiny-vlm" ? ["--help"] : [command, "--help"];
  return execFileSync(process.execPath, [join(root, "dist", "cli.mjs"), ...args], {
    encoding: "utf8",
    env: { ...process.env, FORCE_COLOR: "0" },
  });
}

// The flags about model and answers are the same in every command that asks.
const [firstOfModel, firstAfterModel] = ["  --model FILE", "  -h, --help"];
const modelPart = (help) => help.slice(help.indexOf(firstOfModel), help.indexOf(firstAfterModel));

/** A help without the flags about model and answers, where they are those of `ask`. */
function shortened(command, help, helpOfAsk) {
  if (command === "ask" || !help.includes(firstOfModel)) return help;
  if (modelPart(help) !== modelPart(helpOfAsk)) return help;
  return help.replace(
    modelPart(help),
    () => `${"  --model FILE ...".padEnd(27)}As of ask, to its end.\n`,
  );
}

/** The document with current help texts. */
function withHelp(text) {
  const helpOfAsk = helpOf("ask");
  return text.replaceAll(
    /(<!-- help: ([a-z-]+) -->\n)[^]*?(<!-- \/help -->)/g,
    (_, start, command, end) => {
      const help = shortened(command, helpOf(command), helpOfAsk);
      return `${start}\n\`\`\`text\n${help}\`\`\`\n\n${end}`;
    },
  );
}

try {
  const { values } = parseArgs({ options: { check: { type: "boolean" } } });
  const path = join(root, documentPath);
  const text = readFileSync(path, "utf8");
  const current = withHelp(text);
  if (!values.check) writeFileSync(path, current);
  else if (current !== text)
    throw new Error(
      `${documentPath} differs from the help; run node scripts/command-line-docs.mjs after a build`,
    );
  console.log(`${documentPath} is ${values.check ? "current" : "written"}`);
} catch (error) {
  console.error(`command-line-docs: ${error.message}`);
  process.exitCode = 1;
}
