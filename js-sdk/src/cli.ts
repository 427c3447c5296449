// The command `tiny-vlm`: ask, cache and pull go through the SDK, copy-assets copies files of the
// package; convert, fidelity, inspect and
// trace run the C++ command line, compiled to WebAssembly. An error is one line on stderr, its exit
// code that of docs/errors.md.

import { didYouMean } from "./protocol/did-you-mean.js";
import { errorNumbers, TinyVLMError } from "./protocol/errors.js";
import { ask } from "./cli/ask.js";
import { cache } from "./cli/cache.js";
import { copyAssets } from "./cli/copy-assets.js";
import { mainHelp } from "./cli/help.js";
import { pull } from "./cli/pull.js";
import { runTool, toolCommands } from "./cli/tools.js";

/** The version in package.json, put here by scripts/build-sdk.mjs. */
declare const packageVersion: string;

async function main(args: string[]): Promise<void> {
  const [command, ...rest] = args;
  if (command === undefined) {
    process.stderr.write(mainHelp);
    process.exitCode = errorNumbers.invalid_argument;
    return;
  }
  if (command === "help" || command === "--help" || command === "-h")
    return void process.stdout.write(mainHelp);
  if (command === "--version" || command === "-v")
    return void process.stdout.write(`${packageVersion}\n`);
  if (command === "ask") return ask(rest);
  if (command === "cache") return cache(rest);
  if (command === "pull") return pull(rest);
  if (command === "copy-assets") return copyAssets(rest);
  if (toolCommands.has(command)) return runTool(command, rest);
  const meant = didYouMean(command, ["ask", "cache", "pull", "copy-assets", ...toolCommands]);
  throw new TinyVLMError(
    "invalid_argument",
    `there is no command "${command}"${meant}; see tiny-vlm --help`,
  );
}

// A reader that has enough (`| head`) is no error.
process.stdout.on("error", (error: NodeJS.ErrnoException) =>
  process.exit(error.code === "EPIPE" ? 0 : 1),
);

main(process.argv.slice(2)).catch((reason: unknown) => {
  const error =
    reason instanceof TinyVLMError
      ? reason
      : new TinyVLMError("internal", String((reason as Error)?.stack ?? reason));
  // Threads that an engine had started would keep the process alive.
  process.stderr.write(
    `tiny-vlm: ${error.code}: ${error.message.replace(/\s*\n\s*/g, " ")}\n`,
    () => process.exit(error.exitCode),
  );
});
