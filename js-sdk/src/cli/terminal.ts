// What a person sees at a terminal and a pipe does not: colours, a line that is written anew.

import type { WriteStream } from "node:tty";
import type { LoadOptions } from "../api/types.js";

/** A text in a colour, or as it is. */
export type Paint = (text: string) => string;

const styles = { bold: [1, 22], dim: [2, 22], red: [31, 39], yellow: [33, 39] } as const;

/**
 * Paints for texts that go to `stream`. FORCE_COLOR (unless 0 or false) asks for colours, NO_COLOR
 * for none; otherwise a terminal has them, unless TERM is "dumb".
 */
export function painter(
  stream: Pick<WriteStream, "isTTY">,
  environment: NodeJS.ProcessEnv = process.env,
): (style: keyof typeof styles) => Paint {
  const { FORCE_COLOR, NO_COLOR, TERM } = environment;
  const isColoured =
    FORCE_COLOR !== undefined
      ? !/^(0|false)$/.test(FORCE_COLOR)
      : !NO_COLOR && stream.isTTY === true && TERM !== "dumb";
  return (style) => {
    if (!isColoured) return (text) => text;
    const [on, off] = styles[style];
    return (text) => `\x1b[${on}m${text}\x1b[${off}m`;
  };
}

/** One line on stderr that is written anew; nothing where stderr is no terminal. */
export class StatusLine {
  #isShown = false;

  show(text: string): void {
    if (!process.stderr.isTTY) return;
    this.#isShown = true;
    // A longer text would wrap, and its first line would stay.
    const fitting = Array.from(oneLine(text))
      .slice(0, (process.stderr.columns || 80) - 1)
      .join("");
    process.stderr.write(`\r\x1b[K${fitting}`);
  }

  clear(): void {
    if (this.#isShown) process.stderr.write("\r\x1b[K");
    this.#isShown = false;
  }

  /** Writes whole lines to stderr; the status line gives way. */
  print(text: string): void {
    this.clear();
    process.stderr.write(`${text}\n`);
  }
}

/** A text without line ends and other control characters, which file names may have. */
const oneLine = (text: string) =>
  text
    .replace(/\s+/g, (run) => (run.includes("\n") ? " " : run))
    .replace(/[\0-\x1f\x7f]/g, "\ufffd");

/** Writes an error's or a warning's line to stderr, through `line` where one is shown. */
export function complain(text: string, style: "red" | "yellow", line = new StatusLine()): void {
  line.print(`${painter(process.stderr)(style)("tiny-vlm:")} ${oneLine(text)}`);
}

// A model that is there at once needs no progress.
const patienceMs = 300;

/** An `onProgress` that shows how a model arrives. */
export function loadingLine(line: StatusLine): NonNullable<LoadOptions["onProgress"]> {
  let began: number | undefined;
  return ({ phase, loadedBytes, totalBytes, bytesPerSecond, secondsLeft }) => {
    if (phase === "ready") return line.clear();
    if (totalBytes === 0) return;
    began ??= performance.now();
    if (performance.now() - began < patienceMs) return;
    const left = secondsLeft === undefined ? "" : `, ${duration(secondsLeft)} left`;
    const speed = bytesPerSecond > 0 ? `, ${megabytes(bytesPerSecond)}/s` : "";
    line.show(`model: ${megabytes(loadedBytes)} of ${megabytes(totalBytes)}${speed}${left}`);
  };
}

/** "1.5 MB". */
export const megabytes = (bytes: number): string => `${(bytes / 1e6).toFixed(1)} MB`;

/** "1 h 2 min", "3 min 4 s", "5 s": rounded up to whole seconds. */
export function duration(seconds: number): string {
  const whole = Math.ceil(seconds);
  const [hours, minutes] = [Math.floor(whole / 3600), Math.floor((whole % 3600) / 60)];
  if (hours > 0) return `${hours} h ${minutes} min`;
  return minutes > 0 ? `${minutes} min ${whole % 60} s` : `${whole} s`;
}
