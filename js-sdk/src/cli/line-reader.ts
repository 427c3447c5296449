// Lines of a person at a terminal, with editing and history, or of a pipe.

import { createInterface, type CompleterResult, type Interface } from "node:readline";
import type { ReadStream } from "node:tty";

export interface LineReaderOptions {
  /** A terminal, with prompts; otherwise lines as they come. */
  isInteractive: boolean;
  complete(line: string): CompleterResult;
  /** Called at Ctrl-C where nothing is typed; where something is, it is dropped instead. */
  onInterrupt(): void;
}

/** Reads stdin line by line. Between two calls of `next` Ctrl-C is a signal, as it usually is. */
export class LineReader {
  readonly #lines: string[] = [];
  readonly #interface: Interface;
  readonly #isInteractive: boolean;
  #isOver = false;
  #wake: () => void = () => {};

  constructor({ isInteractive, complete, onInterrupt }: LineReaderOptions) {
    this.#isInteractive = isInteractive;
    this.#interface = createInterface({
      input: process.stdin,
      ...(isInteractive
        ? {
            output: process.stdout.isTTY ? process.stdout : process.stderr,
            completer: complete,
            removeHistoryDuplicates: true,
          }
        : {}),
      terminal: isInteractive,
    });
    this.#interface.on("line", (line) => {
      this.#lines.push(line);
      this.#wake();
    });
    this.#interface.on("close", () => {
      this.#isOver = true;
      this.#wake();
    });
    this.#interface.on("SIGINT", () => {
      if (this.#interface.line === "") return onInterrupt();
      this.#interface.write(null, { ctrl: true, name: "e" });
      this.#interface.write(null, { ctrl: true, name: "u" });
    });
    this.#pause();
  }

  /** The next line; undefined after the last one. `prompt` is shown to a person. */
  async next(prompt: string): Promise<string | undefined> {
    if (this.#lines.length === 0 && !this.#isOver) {
      this.#resume(prompt);
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
      this.#pause();
    }
    return this.#lines.shift();
  }

  /** Shows the prompt again, below what was written meanwhile. */
  showPrompt(): void {
    this.#interface.prompt(true);
  }

  close(): void {
    this.#interface.close();
  }

  #resume(prompt: string): void {
    if (!this.#isInteractive) return void this.#interface.resume();
    (process.stdin as ReadStream).setRawMode(true);
    this.#interface.setPrompt(prompt);
    this.#interface.prompt(true); // which resumes
  }

  #pause(): void {
    if (this.#isOver) return;
    this.#interface.pause();
    if (this.#isInteractive) (process.stdin as ReadStream).setRawMode(false);
  }
}
