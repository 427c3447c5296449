// Processes that a test talks to while they run, with pipes or at a pseudo-terminal.

import { spawn, spawnSync, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { dist, root } from "./built-package.js";

const script = join(dist, "cli.mjs");

// Node's test runner marks its processes; colours would be part of what is compared.
const { NODE_TEST_CONTEXT: _, FORCE_COLOR: __, NO_COLOR: ___, ...environment } = process.env;

/** Why there is no pseudo-terminal here, or undefined where there is one. */
export const noTerminal =
  process.platform === "linux" && spawnSync("script", ["--version"]).status === 0
    ? undefined
    : "util-linux's script is missing";

/** How a process is run. */
export interface Setting {
  env?: Record<string, string>;
  cwd?: string;
}

const all: Running[] = [];

/** Ends what is still running, as after a test that failed. */
export function endAll(): void {
  for (const running of all) running.process.kill();
}

export class Running {
  readonly process: ChildProcess;
  out = "";
  err = "";
  readonly #end: Promise<unknown[]>;

  constructor(program: string, args: string[], { env = {}, cwd = root }: Setting) {
    this.process = spawn(program, args, { cwd, env: { ...environment, ...env } });
    this.process.stdout!.setEncoding("utf8").on("data", (text: string) => (this.out += text));
    this.process.stderr!.setEncoding("utf8").on("data", (text: string) => (this.err += text));
    // A process that has ended takes no more input.
    this.process.stdin!.on("error", () => {});
    this.#end = once(this.process, "close");
    all.push(this);
  }

  /** Writes to its stdin. */
  type(text: string): void {
    this.process.stdin!.write(text);
  }

  /** Waits until `isSo`, which is asked often; throws after a minute. */
  async until(isSo: () => boolean): Promise<void> {
    for (const late = Date.now() + 60_000; !isSo(); await sleep(5))
      if (Date.now() > late)
        throw new Error(`waited in vain; out: ${JSON.stringify(this.out)}, err: ${this.err}`);
  }

  /** Waits until it has written `text` to stdout after the first `from` characters. */
  async says(text: string, from = 0): Promise<void> {
    await this.until(() => this.out.includes(text, from));
  }

  /** Its exit code (null where a signal ended it) and all that it wrote. */
  async end(): Promise<{ code: number | null; out: string; err: string }> {
    const [code] = (await this.#end) as [number | null];
    return { code, out: this.out, err: this.err };
  }
}

/** Starts the command line with pipes. */
export const start = (args: string[], setting: Setting = {}): Running =>
  new Running(process.execPath, [script, ...args], setting);

/** Runs the command line to its end; `input` is its stdin. */
export async function run(
  args: string[],
  { input = "", ...setting }: Setting & { input?: string | Uint8Array } = {},
): Promise<{ code: number | null; out: string; err: string }> {
  const running = start(args, setting);
  running.process.stdin!.end(input);
  return running.end();
}

/** Starts the command line at a pseudo-terminal, whose output, stderr included, is `out`. */
export function startAtTerminal(args: string[], { env = {}, ...setting }: Setting = {}): Running {
  const line = [process.execPath, script, ...args].map((word) => `'${word}'`).join(" ");
  return new Running("script", ["-qefc", line, "/dev/null"], {
    ...setting,
    env: { TERM: "xterm", ...env },
  });
}
