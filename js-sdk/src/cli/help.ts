// Help texts, made of the table of commands.

import type { Command, FlagTable, SdkCommand } from "./command.js";
import { helpFlag } from "./command.js";
import { allOutcomes, exitCodeLines } from "./exit-codes.js";
import type { Paint } from "./terminal.js";

const columns = 80;
const indent = 27;

/** `text` in lines of at most `columns`, each after `margin` spaces. */
function wrap(text: string, margin: number): string[] {
  const lines: string[] = [];
  let line = "";
  for (const word of text.split(" ")) {
    if (line !== "" && margin + line.length + 1 + word.length > columns) {
      lines.push(line);
      line = word;
    } else line = line === "" ? word : `${line} ${word}`;
  }
  return [...lines, line].map((each) => " ".repeat(margin) + each);
}

/** A head (a flag, a word) with its explanation to the right, or below where it is long. */
function entry(head: string, help: string): string[] {
  const lines = wrap(help, indent);
  const start = `  ${head}`;
  if (start.length + 2 > indent) return [start, ...lines];
  return [start.padEnd(indent) + lines[0]!.trimStart(), ...lines.slice(1)];
}

function flagLines(flags: FlagTable): string[] {
  return Object.entries(flags).flatMap(([name, { short, value, choices, help }]) => {
    const names = short ? `${short}, ${name}` : name;
    return entry([names, value ?? choices?.join("|") ?? ""].join(" ").trimEnd(), help);
  });
}

/** Paragraphs with an empty line before each. */
const paragraphs = (texts: readonly string[]) => texts.flatMap((text) => ["", ...wrap(text, 0)]);

/** What `tiny-vlm <command> --help` prints. */
export function commandHelp(command: SdkCommand, bold: Paint): string {
  return [
    bold(`tiny-vlm ${command.name} ${command.usage}`),
    ...paragraphs(command.about),
    "",
    ...Object.entries(command.wordsHelp).flatMap(([word, help]) => entry(word, help)),
    ...(Object.keys(command.wordsHelp).length > 0 ? [""] : []),
    ...flagLines({ ...command.flags, ...helpFlag }),
    ...paragraphs(command.notes ?? []),
    ...commandEnd(command, bold),
    "",
  ].join("\n");
}

/** The last part of every command's help: examples and exit codes. */
export function commandEnd({ examples, outcomes }: Command, bold: Paint): string[] {
  return [
    "",
    bold("Examples:"),
    ...examples.flatMap(([line, meaning]) => [`  ${line}`, ...wrap(meaning, 6)]),
    "",
    bold("Exit codes:"),
    ...exitCodeLines(outcomes),
  ];
}

/** What `tiny-vlm --help` prints. */
export function mainHelp(commands: readonly Command[], bold: Paint): string {
  const width = Math.max(...commands.map(({ name }) => name.length));
  return [
    bold("tiny-vlm: questions about images, answered on this machine"),
    "",
    ...commands.map(({ name, summary }) => `  tiny-vlm ${name.padEnd(width)}  ${summary}`),
    "",
    "tiny-vlm <command> --help explains a command; tiny-vlm --version tells which",
    "version this is. Results go to stdout; everything else, an error in one line",
    "among it, to stderr. NO_COLOR and FORCE_COLOR=1 decide about colours.",
    "",
    bold("Exit codes:"),
    ...exitCodeLines(allOutcomes),
    "",
  ].join("\n");
}
