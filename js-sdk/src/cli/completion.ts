// tiny-vlm completion: scripts for shells, made of the table of commands.

import { execFileSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import { helpFlag, type Command, type Parsed, type SdkCommand } from "./command.js";
import { checkChoice, wrongArgument } from "./flags.js";
import { toolFlags } from "./tools.js";

/** What a shell is told of a command. */
export interface Completed {
  name: string;
  summary: string;
  words: Command["words"];
  flags: CompletedFlag[];
}

/** A flag; `takes`: nothing, one of these words, a file, or a text that nothing is known of. */
interface CompletedFlag {
  name: string;
  help: string;
  takes: "nothing" | "file" | "text" | readonly string[];
}

const scripts = { bash, zsh, fish } as const;
const shells = Object.keys(scripts);

export const completion: SdkCommand = {
  name: "completion",
  summary: "prints a script by which a shell completes",
  usage: shells.join("|"),
  about: ["Prints a script for the shell. It completes commands, flags, their values, and files."],
  wordsHelp: {},
  words: shells,
  flags: {},
  examples: [
    ["source <(tiny-vlm completion bash)", "In ~/.bashrc."],
    ["source <(tiny-vlm completion zsh)", "In ~/.zshrc, below compinit."],
    ["tiny-vlm completion fish > ~/.config/fish/completions/tiny-vlm.fish", "Once."],
  ],
  outcomes: ["invalid_argument"],
  async run({ positionals }: Parsed, commands) {
    const [shell, ...more] = positionals;
    if (shell === undefined || more.length > 0) {
      const found = positionals.join(" ") || "none";
      throw wrongArgument(`completion wants one of ${shells.join(", ")}, found ${found}`);
    }
    checkChoice("the shell", shells, shell);
    process.stdout.write(scripts[shell as keyof typeof scripts](commands.map(completed)));
  },
};

function completed(command: Command): Completed {
  const { name, summary, words } = command;
  if ("isTool" in command)
    return { name, summary, words, flags: [...flagsOf(toolFlags), ...ownFlagsOf(command.name)] };
  return { name, summary, words, flags: flagsOf({ ...command.flags, ...helpFlag }) };
}

function flagsOf(flags: SdkCommand["flags"]): CompletedFlag[] {
  return Object.entries(flags).flatMap(([name, { kind, choices, value, short, help }]) => {
    const takes = kind === "switch" ? "nothing" : (choices ?? (value === "FILE" ? "file" : "text"));
    return [name, ...(short ? [short] : [])].map((each) => ({ name: each, help, takes }));
  });
}

// A tool's flags stand in its help only, which is asked for: "-o FILE", "--type f32|f16", "--json".
function ownFlagsOf(tool: string): CompletedFlag[] {
  const script = fileURLToPath(import.meta.url);
  const help = execFileSync(process.execPath, [script, tool, "--help", "--variant", "scalar"], {
    encoding: "utf8",
    env: { ...process.env, FORCE_COLOR: "0" },
  });
  const [usage = ""] = help.split("\nExamples:");
  const found = new Map<string, CompletedFlag>();
  for (const [, name, value] of usage.matchAll(
    /(?<![\w-])(--?[a-z][a-z-]*)(?: ([A-Z]+\b|[\w-]+(?:\|[\w-]+)+))?/g,
  )) {
    const takes = !value
      ? "nothing"
      : value.includes("|")
        ? value.split("|")
        : value === "FILE" || value === "FOLDER"
          ? "file"
          : "text";
    // Where it is mentioned without its value it says less.
    const isNew = !found.has(name!) || found.get(name!)?.takes === "nothing";
    if (isNew && !(name! in toolFlags)) found.set(name!, { name: name!, help: "", takes });
  }
  for (const name of Object.keys(helpFlag))
    found.set(name, { name, help: helpFlag[name]!.help, takes: "nothing" });
  return [...found.values()];
}

const quoted = (text: string) => `'${text.replaceAll("'", `'\\''`)}'`;
const isList = (takes: CompletedFlag["takes"]): takes is readonly string[] =>
  typeof takes !== "string";
/** As much of a help as fits beside a proposal. */
const brief = (help: string) => /^[^]*?[.;:](?= |$)/.exec(help)?.[0].slice(0, -1) ?? help;

/** The script for bash. */
export function bash(commands: readonly Completed[]): string {
  const propose = (words: readonly string[]) =>
    `COMPREPLY=($(compgen -W ${quoted(words.join(" "))} -- "$current"))`;
  // Names may have spaces in them; bash 3 has no compopt.
  const files =
    "local IFS=$'\\n'; compopt -o filenames 2>/dev/null; " +
    'COMPREPLY=($(compgen -f -- "$current"))';
  const branch = (patterns: string[], action: string) =>
    `    ${patterns.map((each) => `'${each}'`).join("|")}) ${action}; return ;;`;
  const values = commands.flatMap(({ name, flags }) =>
    flags.flatMap((flag) => {
      if (flag.takes === "nothing") return [];
      const action = isList(flag.takes)
        ? propose(flag.takes)
        : flag.takes === "file"
          ? files
          : "COMPREPLY=()";
      return branch([`${name} ${flag.name}`], action);
    }),
  );
  const flags = commands.map(({ name, flags: own }) =>
    branch([name], propose(own.map((flag) => flag.name))),
  );
  const words = commands.map(({ name, words: own }) =>
    branch([name], own === "files" ? files : own === "none" ? "COMPREPLY=()" : propose(own)),
  );
  return `# bash completion of tiny-vlm: source <(tiny-vlm completion bash)
_tiny_vlm() {
  local current=\${COMP_WORDS[COMP_CWORD]} previous=\${COMP_WORDS[COMP_CWORD-1]}
  local command=\${COMP_WORDS[1]}
  # bash takes --flag=value apart.
  if [[ $current == "=" ]]; then current=""
  elif [[ $previous == "=" ]]; then previous=\${COMP_WORDS[COMP_CWORD-2]}; fi
  if ((COMP_CWORD == 1)); then
    ${propose([...commands.map(({ name }) => name), "--help", "--version"])}
    return
  fi
  case "$command $previous" in
${values.join("\n")}
  esac
  if [[ $current == -* ]]; then
    case "$command" in
${flags.join("\n")}
    esac
  fi
  case "$command" in
${words.join("\n")}
  esac
}
complete -F _tiny_vlm tiny-vlm
`;
}

/** The script for zsh. */
export function zsh(commands: readonly Completed[]): string {
  const plain = (text: string) => text.replaceAll(/[[\]:\\]/g, "\\$&");
  const argument = (takes: CompletedFlag["takes"]) => {
    if (takes === "nothing") return "";
    if (isList(takes)) return `:value:(${takes.join(" ")})`;
    return takes === "file" ? ":file:_files" : ":value: ";
  };
  const branches = commands.map(({ name, flags, words }) => {
    const rest = words === "files" ? "*:file:_files" : words === "none" ? "*: : " : "";
    const given = rest || `*:word:(${(words as readonly string[]).join(" ")})`;
    const specs = flags.map(
      (flag) =>
        `*${flag.name}${flag.help ? `[${plain(brief(flag.help))}]` : ""}${argument(flag.takes)}`,
    );
    const lines = [...specs, given].map((spec) => `      ${quoted(spec)}`);
    return `    ${name}) _arguments \\\n${lines.join(" \\\n")} ;;`;
  });
  const names = commands.map(({ name, summary }) => `    ${quoted(`${name}:${plain(summary)}`)}`);
  return `#compdef tiny-vlm
# zsh completion of tiny-vlm: source <(tiny-vlm completion zsh)
_tiny_vlm() {
  local -a commands=(
${names.join("\n")}
  )
  if ((CURRENT == 2)); then
    _describe command commands
    return
  fi
  shift words
  ((CURRENT--))
  case $words[1] in
${branches.join("\n")}
  esac
}
if [[ $funcstack[1] == _tiny_vlm ]]; then _tiny_vlm "$@"; else compdef _tiny_vlm tiny-vlm; fi
`;
}

/** The script for fish. */
export function fish(commands: readonly Completed[]): string {
  const quote = (text: string) => `'${text.replaceAll(/['\\]/g, "\\$&")}'`;
  const lines = commands.flatMap(({ name, summary, flags, words }) => {
    const inside = `complete -c tiny-vlm -n '__fish_seen_subcommand_from ${name}'`;
    const ownWords =
      words === "files"
        ? [`${inside} -F`]
        : words === "none"
          ? []
          : [`${inside} -a ${quote(words.join(" "))}`];
    return [
      `complete -c tiny-vlm -n __fish_use_subcommand -a ${name} -d ${quote(summary)}`,
      ...ownWords,
      ...flags.map(({ name: flag, help, takes }) => {
        const named = flag.startsWith("--") ? `-l ${flag.slice(2)}` : `-s ${flag.slice(1)}`;
        const value = isList(takes)
          ? ` -x -a ${quote(takes.join(" "))}`
          : { nothing: "", file: " -r -F", text: " -x" }[takes];
        return `${inside} ${named}${value}${help ? ` -d ${quote(brief(help))}` : ""}`;
      }),
    ];
  });
  return ["# fish completion of tiny-vlm", "complete -c tiny-vlm -f", ...lines, ""].join("\n");
}
