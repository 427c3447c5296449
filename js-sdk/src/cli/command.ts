// What a command is. One table of commands (commands.ts) gives parsing, help, completion and the
// document.

import type { Outcome } from "./exit-codes.js";

/** What a flag takes: nothing, a word (several times: the last one counts, or all), a number. */
export type FlagKind = "switch" | "text" | "texts" | "number";

/** A flag of a command. */
export interface Flag {
  readonly kind: FlagKind;
  /** Its value's name in the help, as in `--model FILE`. */
  readonly value?: string;
  /** The only values that it takes. */
  readonly choices?: readonly string[];
  /** Sentences for the help. */
  readonly help: string;
  /** A second name: `-y`. */
  readonly short?: string;
}

/** Flags by their names, with the dashes. */
export type FlagTable = Readonly<Record<string, Flag>>;

/** The arguments of a command. Flags stand under their long names. */
export interface Parsed {
  positionals: string[];
  switches: Set<string>;
  texts: Map<string, string[]>;
  numbers: Map<string, number>;
}

/** What the help says of a command. */
interface Described {
  readonly name: string;
  /** Half a line for the list of commands. */
  readonly summary: string;
  /** Command line and meaning. */
  readonly examples: readonly (readonly [string, string])[];
  /** How it may end, besides with success. */
  readonly outcomes: readonly Outcome[];
  /** What its words are, for completion: files, these, or nothing that can be completed. */
  readonly words: "files" | "none" | readonly string[];
}

/** A command of the SDK. */
export interface SdkCommand extends Described {
  /** The words that follow its name. */
  readonly usage: string;
  /** Paragraphs on what it does. */
  readonly about: readonly string[];
  /** What each word of the usage is. */
  readonly wordsHelp: Readonly<Record<string, string>>;
  readonly flags: FlagTable;
  /** Paragraphs below the flags. */
  readonly notes?: readonly string[];
  run(parsed: Parsed, commands: readonly Command[]): Promise<void>;
}

/** A command of the C++ command line, which reads its flags and has help about them itself. */
export interface ToolCommand extends Described {
  readonly isTool: true;
}

export type Command = SdkCommand | ToolCommand;

/** The flag that every command has. */
export const helpFlag: FlagTable = {
  "--help": { kind: "switch", short: "-h", help: "This text." },
};
