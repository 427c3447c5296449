// The commands in the documents, held against what is there: scripts and their flags, presets,
// targets, the command line's help. Programs of others are taken as they are, but must be known.
import { execFileSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { root } from "../toolchain.mjs";
import { trackedFiles } from "../tracked-files.mjs";

const otherPrograms = new Set([
  "cc",
  "cd",
  "cp",
  "curl",
  "export",
  "gdb",
  "git",
  "open",
  "openssl",
  "perf",
]);

/** A block of shell as commands of words: comments, `\` at line ends, pipes and `&&` are gone. */
export function commandsIn(code) {
  return code
    .replaceAll(/\\\n\s*/g, " ")
    .split(/\n|&&|\|/)
    .map((line) => line.replace(/(^|\s)#.*$/, "").trim())
    .filter(Boolean)
    .map((line) => line.match(/(?:"[^"]*"|'[^']*'|[^\s"'])+/g))
    .map((words) => words.filter((word, index) => index > 0 || !/^[A-Z_]+=/.test(word)))
    .map((words) => words.map((word) => word.replaceAll(/^["']|["']$/g, "")));
}

const read = (path) => readFileSync(join(root, path), "utf8");
const longFlags = (words) =>
  words.filter((word) => /^--[a-z]/.test(word)).map((word) => word.split("=")[0]);

/** The flags that a script's source does not name. */
function unknownFlags(path, words) {
  const source = read(path);
  return longFlags(words)
    .filter((flag) => !new RegExp(`["\\s\`[]${flag}\\b|"?${flag.slice(2)}"?:`).test(source))
    .map((flag) => `${path} has no flag ${flag}`);
}

function npm([command, name, ...rest]) {
  if (["install", "ci", "version", "create"].includes(command)) return [];
  const script = command === "run" ? name : command;
  const found = JSON.parse(read("package.json")).scripts[script];
  if (found === undefined) return [`package.json has no script "${script}"`];
  const [, path] = /node (\S+)/.exec(found) ?? [];
  return path ? unknownFlags(path, rest.slice(rest.indexOf("--") + 1)) : [];
}

function presets(kind) {
  return JSON.parse(read("CMakePresets.json"))[kind].map(({ name }) => name);
}

function cmakeFiles() {
  return trackedFiles()
    .filter((name) => /CMakeLists\.txt$|\.cmake$/.test(name))
    .map(read)
    .join("\n");
}

function cmake(words, kind = "configurePresets") {
  const wrong = [];
  const preset = words[words.indexOf("--preset") + 1];
  if (words.includes("--preset") && !presets(kind).includes(preset))
    wrong.push(`CMakePresets.json has no preset "${preset}"`);
  if (!words.includes("--target")) return wrong;
  const targets = words.slice(words.indexOf("--target") + 1);
  const files = cmakeFiles();
  for (const target of targets.filter((word) => !word.startsWith("-")))
    if (!new RegExp(`\\b${target.replace(/_test$/, "(_test)?")}\\b`).test(files))
      wrong.push(`no CMakeLists.txt has a target "${target}"`);
  return wrong;
}

const helpTexts = new Map();
function helpOf(command) {
  if (!helpTexts.has(command)) {
    const args = [join(root, "dist", "cli.mjs"), command, "--help"];
    let text;
    try {
      text = execFileSync(process.execPath, args, { encoding: "utf8", stdio: "pipe" });
    } catch {
      text = undefined;
    }
    helpTexts.set(command, text);
  }
  return helpTexts.get(command);
}

/** Flags of the command line, from its help; of commands that exist natively only, from cpp/cli. */
function commandLine([command, ...rest]) {
  if (command?.startsWith("--")) return [];
  const native = trackedFiles().filter((name) => /^cpp\/cli\/.*\.cc$/.test(name));
  const help = helpOf(command) ?? native.map(read).join("\n");
  if (!helpOf(command) && !help.includes(`"${command}"`))
    return [`tiny-vlm has no command "${command}"`];
  return longFlags(rest)
    .filter((flag) => !new RegExp(`${flag.slice(2)}\\b`).test(help))
    .map((flag) => `tiny-vlm ${command} has no flag ${flag}`);
}

function node([path, ...rest]) {
  if (/^(build|dist)\//.test(path)) return [];
  if (!existsSync(join(root, path))) return [`${path} is not there`];
  return unknownFlags(path, rest);
}

/** What is wrong with a command, in sentences. */
export function wrongIn([program, ...words]) {
  if (program === "npm") return npm(words);
  if (program === "cmake") return cmake(words);
  if (program === "ctest") return cmake(words, "testPresets");
  if (program === "node") return node(words);
  if (program === "npx") return words[0] === "tiny-vlm" ? commandLine(words.slice(1)) : [];
  if (/(^|\/)tiny-vlm$/.test(program)) return commandLine(words);
  if (/^(\.\/|build\/)/.test(program) || otherPrograms.has(program)) return [];
  return [`${program} is no program that is known here`];
}
