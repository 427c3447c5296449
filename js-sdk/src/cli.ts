// The command `tiny-vlm`: most commands go through the SDK; convert, fidelity, inspect and trace run
// the C++ command line, compiled to WebAssembly. An error is one line on stderr; exit codes:
// cli/exit-codes.ts.

import { readFileSync } from "node:fs";
import { didYouMean } from "./protocol/did-you-mean.js";
import { errorNumbers, TinyVLMError } from "./protocol/errors.js";
import { helpFlag } from "./cli/command.js";
import { commands } from "./cli/commands.js";
import { interrupted } from "./cli/exit-codes.js";
import { parseFlags, wrongArgument } from "./cli/flags.js";
import { commandHelp, mainHelp } from "./cli/help.js";
import { wasInterrupted } from "./cli/interrupt.js";
import { complain, painter } from "./cli/terminal.js";
import { runTool } from "./cli/tools.js";

async function main(args: string[]): Promise<void> {
  const [first, ...rest] = args;
  if (first === undefined) {
    process.stderr.write(mainHelp(commands, painter(process.stderr)("bold")));
    process.exitCode = errorNumbers.invalid_argument;
    return;
  }
  // `tiny-vlm help ask` is `tiny-vlm ask --help`.
  if (first === "help" && rest.length > 0) return main([...rest, "--help"]);
  const bold = painter(process.stdout)("bold");
  if (first === "help" || first === "--help" || first === "-h")
    return void process.stdout.write(mainHelp(commands, bold));
  if (first === "--version" || first === "-V")
    return void process.stdout.write(`tiny-vlm ${version()}\n`);
  const command = commands.find(({ name }) => name === first);
  if (!command) {
    const known = commands.map(({ name }) => name);
    if (first.startsWith("-"))
      throw wrongArgument(`wanted a command before any flag, found ${first}; see tiny-vlm --help`);
    throw wrongArgument(
      `there is no command "${first}"${didYouMean(first, known) || "; see tiny-vlm --help"}`,
    );
  }
  if ("isTool" in command) return runTool(command, rest);
  const parsed = parseFlags(rest, { ...command.flags, ...helpFlag });
  if (parsed.switches.has("--help")) return void process.stdout.write(commandHelp(command, bold));
  return command.run(parsed, commands);
}

function version(): string {
  const file = readFileSync(new URL("../package.json", import.meta.url), "utf8");
  return (JSON.parse(file) as { version: string }).version;
}

// A reader that has enough (`| head`) is no error.
for (const stream of [process.stdout, process.stderr])
  stream.on("error", (error: NodeJS.ErrnoException) =>
    process.exit(error.code === "EPIPE" ? (process.exitCode ?? 0) : errorNumbers.io),
  );

main(process.argv.slice(2)).catch((reason: unknown) => {
  // Threads that an engine had started would keep the process alive.
  if (wasInterrupted()) {
    if (process.stderr.isTTY) process.stderr.write("\n"); // below what was being written
    process.exit(interrupted);
  }
  const error =
    reason instanceof TinyVLMError
      ? reason
      : new TinyVLMError("internal", String((reason as Error)?.stack ?? reason));
  complain(`${error.code}: ${error.message}`, "red");
  process.exit(error.exitCode);
});
