// The C++ command line as WebAssembly: dist/tools/tiny-vlm-tools-<variant>.mjs, with Node's file
// system.

import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { threadsFor } from "../api/platform.js";
import { usableProcessors } from "../api/processors.js";
import { TinyVLMError } from "../protocol/errors.js";
import { loadRules } from "../protocol/option-rules.generated.js";
import { isRelaxed, variants, type Variant } from "../protocol/values.js";
import { reasonAgainst } from "../runtime/features.js";
import type { FlagTable, ToolCommand } from "./command.js";
import { checkChoice, wrongArgument } from "./flags.js";
import { commandEnd } from "./help.js";
import { modelFlags } from "./model-flags.js";
import { painter } from "./terminal.js";

const tool = (
  name: string,
  summary: string,
  words: ToolCommand["words"],
  examples: ToolCommand["examples"],
): ToolCommand => ({
  isTool: true,
  name,
  summary,
  words,
  examples,
  outcomes: ["invalid_argument", "not_found", "invalid_file", "unsupported", "out_of_memory", "io"],
});

/** The commands that the tools have. */
export const toolCommands: readonly ToolCommand[] = [
  tool("convert", "makes one model file of a checkpoint folder", "files", [
    ["tiny-vlm convert FastVLM-0.5B -o fastvlm.gguf --type q8_0", "A checkpoint as 8-bit file."],
  ]),
  tool("fidelity", "how far a model file strays from its f32", "files", [
    ["tiny-vlm fidelity fastvlm-f32.gguf fastvlm-q4_0.gguf", "What four bits lose."],
  ]),
  tool("inspect", "what a model file holds", "files", [
    ["tiny-vlm inspect fastvlm.gguf --verify", "Keys and tensors; every hash is checked."],
  ]),
  tool("trace", "every stage of a model on a given input", "files", [
    ["tiny-vlm trace fastvlm.gguf --case case.npz -o stages", "Stages to compare with others'."],
  ]),
];

/** The flags that every tool takes, besides its own. */
export const toolFlags: FlagTable = {
  "--variant": { ...modelFlags["--variant"]! },
  "--threads": { ...modelFlags["--threads"]! },
};

interface ToolsModule {
  /** The exit code of main(). */
  callMain(args: string[]): number;
}
type ToolsFactory = (options: { threads: number }) => Promise<ToolsModule>;

/**
 * Runs `command` and ends the process with its exit code. --variant chooses the build; all other
 * flags are the tool's own to check. The tool's help gets examples and exit codes.
 */
export async function runTool(command: ToolCommand, args: string[]): Promise<void> {
  const { variant, rest } = takeVariant(args);
  // A relaxed build only by its name: what the tools compute is compared with other machines'
  // numbers, and relaxed ones differ in the last bits.
  const chosen =
    variant ??
    variants.find((candidate) => !isRelaxed(candidate) && !reasonAgainst(candidate, true)) ??
    "scalar";
  const against = reasonAgainst(chosen, true);
  if (against)
    throw new TinyVLMError("unsupported", `the variant ${chosen} cannot run here: ${against}`);
  const script = new URL(`./tools/tiny-vlm-tools-${chosen}.mjs`, import.meta.url);
  if (!existsSync(script))
    throw new TinyVLMError(
      "not_found",
      `the tools for the variant ${chosen} are missing: ${fileURLToPath(script)}`,
    );
  const { default: createTools } = (await import(script.href)) as { default: ToolsFactory };
  const module = await inTime(
    createTools({ threads: threadsIn(rest) ?? threadsFor(usableProcessors()) }),
    chosen,
  );
  const exitCode = module.callMain([command.name, ...rest]);
  if (exitCode === 0 && rest.some((word) => word === "--help" || word === "-h"))
    process.stdout.write(`${commandEnd(command, painter(process.stdout)("bold")).join("\n")}\n`);
  // Pool threads would keep the process alive.
  process.exit(exitCode);
}

// Starting takes well under a second; a pool thread that never reports would otherwise keep the
// command waiting for ever.
const startLimitMs = 60_000;

async function inTime(start: Promise<ToolsModule>, variant: Variant): Promise<ToolsModule> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const late = new Promise<never>((_, reject) => {
    const error = new TinyVLMError(
      "worker",
      `the tools (${variant}) did not start within ${startLimitMs / 1000} s; ` +
        "try again, or --variant simd",
    );
    timer = setTimeout(() => reject(error), startLimitMs);
  });
  try {
    return await Promise.race([start, late]);
  } finally {
    clearTimeout(timer);
  }
}

/** Takes `--variant` out of the arguments; all others are the tool's. */
function takeVariant(args: string[]): { variant: Variant | undefined; rest: string[] } {
  const { at, value, count } = valueOf(args, "--variant");
  if (at < 0) return { variant: undefined, rest: args };
  if (value === undefined)
    throw wrongArgument("--variant wants a value, found the end of the line");
  checkChoice("--variant", variants, value);
  return { variant: value as Variant, rest: [...args.slice(0, at), ...args.slice(at + count)] };
}

// A value that is none the tool itself complains about.
function threadsIn(args: string[]): number | undefined {
  const threads = Number(valueOf(args, "--threads").value);
  const { min, max } = loadRules.threads;
  return Number.isInteger(threads) && threads >= min && threads <= max ? threads : undefined;
}

/** Where a flag stands, as one word or two, and its value. */
function valueOf(
  args: string[],
  flag: string,
): { at: number; count: number; value: string | undefined } {
  const at = args.findIndex((word) => word === flag || word.startsWith(`${flag}=`));
  const isOneWord = args[at]?.includes("=") === true;
  const value = isOneWord ? args[at]!.slice(flag.length + 1) : args[at + 1];
  return { at, count: isOneWord ? 1 : 2, value: at < 0 ? undefined : value };
}
