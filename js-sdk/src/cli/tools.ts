// The C++ command line as WebAssembly: dist/tools/tiny-vlm-tools-<variant>.mjs, with Node's file
// system.

import { existsSync } from "node:fs";
import { availableParallelism } from "node:os";
import { fileURLToPath } from "node:url";
import { threadsFor } from "../api/platform.js";
import { TinyVLMError } from "../protocol/errors.js";
import { isRelaxed, variants, type Variant } from "../protocol/values.js";
import { reasonAgainst } from "../runtime/features.js";

export const toolCommands: ReadonlySet<string> = new Set([
  "convert",
  "fidelity",
  "inspect",
  "trace",
]);

interface ToolsModule {
  /** The exit code of main(). */
  callMain(args: string[]): number;
}
type ToolsFactory = (options: { threads: number }) => Promise<ToolsModule>;

/**
 * Runs `command` and ends the process with its exit code. --variant chooses the build; all other
 * flags are the tool's own to check.
 */
export async function runTool(command: string, args: string[]): Promise<void> {
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
    createTools({ threads: threadsIn(rest) ?? threadsFor(availableParallelism()) }),
    chosen,
  );
  const exitCode = module.callMain([command, ...rest]);
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

function takeVariant(args: string[]): { variant: Variant | undefined; rest: string[] } {
  const at = args.findIndex(
    (argument) => argument === "--variant" || argument.startsWith("--variant="),
  );
  if (at < 0) return { variant: undefined, rest: args };
  const inOne = args[at]!.includes("=");
  const value = inOne ? args[at]!.slice("--variant=".length) : args[at + 1];
  if (!variants.includes(value as Variant))
    throw new TinyVLMError(
      "invalid_argument",
      `--variant wants ${variants.join(", ")}, found ${value ?? "the end of the line"}`,
    );
  return {
    variant: value as Variant,
    rest: args.filter((_, index) => index !== at && (inOne || index !== at + 1)),
  };
}

function threadsIn(args: string[]): number | undefined {
  const at = args.findIndex(
    (argument) => argument === "--threads" || argument.startsWith("--threads="),
  );
  const value =
    at < 0
      ? undefined
      : args[at]!.includes("=")
        ? args[at]!.slice("--threads=".length)
        : args[at + 1];
  const threads = Number(value);
  return Number.isInteger(threads) && threads >= 1 && threads <= 64 ? threads : undefined;
}
