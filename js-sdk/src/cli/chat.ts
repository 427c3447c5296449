// tiny-vlm chat

import { readdirSync } from "node:fs";
import { dirname, join } from "node:path";
import type { CompleterResult } from "node:readline";
import { didYouMean } from "../protocol/did-you-mean.js";
import { abortedError, TinyVLMError } from "../protocol/errors.js";
import type { AskOptions } from "../api/types.js";
import { showAnswer } from "./answer.js";
import type { Parsed, SdkCommand } from "./command.js";
import { Conversation, transcript } from "./conversation.js";
import { interrupted, loadingOutcomes } from "./exit-codes.js";
import { wrongArgument } from "./flags.js";
import { interruption } from "./interrupt.js";
import { LineReader } from "./line-reader.js";
import { askOptions, loadModel, modelFlags, namingFlags } from "./model-flags.js";
import { complain, painter, StatusLine } from "./terminal.js";

/** A line that begins with "/". */
interface SlashCommand {
  /** What follows its name; in brackets where it may be left out. */
  argument?: string;
  help: string;
  /** Returns what a person is told; nothing where there is nothing to tell. */
  run(conversation: Conversation, argument: string): string | undefined;
}

const slashCommands: Readonly<Record<string, SlashCommand>> = {
  "/image": {
    argument: "<path or URL>",
    help: "Adds an image to the next question.",
    run(conversation, image) {
      conversation.addImage(image);
      return `the next question is about ${conversation.waiting.join(", ")}`;
    },
  },
  "/system": {
    argument: "[text]",
    help: "A new conversation with this system prompt; without a text: shows it.",
    run(conversation, text) {
      if (text === "") return conversation.system ?? "that of the model";
      conversation.setSystem(text);
      return "a new conversation";
    },
  },
  "/reset": {
    help: "Forgets questions, answers and images; the system prompt stays.",
    run(conversation) {
      conversation.reset();
      return "a new conversation";
    },
  },
  "/history": {
    help: "Shows the conversation.",
    run(conversation) {
      process.stdout.write(`${transcript(conversation.messages)}\n`);
      return undefined;
    },
  },
  "/save": {
    argument: "<file>",
    help: "Writes the conversation to a new file: JSON where it ends in .json, else text.",
    run(conversation, path) {
      conversation.save(path);
      return `written to ${path}`;
    },
  },
  "/help": {
    help: "This list.",
    run() {
      process.stdout.write(`${slashHelp().join("\n")}\n`);
      return undefined;
    },
  },
  "/quit": { help: "Leaves, as Ctrl-D does.", run: () => undefined },
};

const slashHelp = () =>
  Object.entries(slashCommands).map(([name, { argument, help }]) => {
    const head = argument ? `${name} ${argument}` : name;
    return `  ${head.padEnd(23)}  ${help}`;
  });

export const chat: SdkCommand = {
  name: "chat",
  summary: "a conversation about images, typed or from a pipe",
  usage: "[image]... [flags]",
  about: [
    "Reads questions, one a line, and answers each in words as they are made. Lines can be " +
      "edited; arrows recall earlier ones, Tab completes commands and paths. Ctrl-C stops an " +
      "answer, whose words so far stay part of the conversation; once more, it leaves. From a " +
      "pipe there are no prompts, stdout has the answers alone, and the first error or Ctrl-C " +
      "is the end.",
  ],
  wordsHelp: {
    "[image]": "The first question is about these: paths or URLs of PNG or JPEG files.",
  },
  words: "files",
  flags: {
    "--json": {
      kind: "switch",
      help: "Each answer as one line of JSON, with its tokens and timings, instead of the words.",
    },
    ...modelFlags,
  },
  notes: [
    "Lines that begin with / are commands (a question begins with // where it has to begin with " +
      "/): " +
      Object.entries(slashCommands)
        .map(([name, { argument }]) => (argument ? `${name} ${argument}` : name))
        .join(", ") +
      ".",
  ],
  examples: [
    ["tiny-vlm chat photo.jpg", "A conversation about a photo."],
    [
      "printf 'What is this?\\nWhat colour is it?\\n' | tiny-vlm chat photo.jpg",
      "Two questions, two answers.",
    ],
  ],
  outcomes: [...loadingOutcomes, "invalid_image", "context_full"],
  run,
};

async function run(parsed: Parsed): Promise<void> {
  const { system, ...options } = askOptions(parsed);
  const isInteractive = process.stdin.isTTY === true;
  const signal = interruption();
  const vlm = await loadModel(parsed, signal, new StatusLine());
  try {
    const conversation = new Conversation(vlm, system);
    for (const image of parsed.positionals) {
      if (image === "") throw wrongArgument("wanted an image for [image], found an empty text");
      conversation.addImage(image);
    }
    const isJson = parsed.switches.has("--json");
    if (isInteractive) await talk(conversation, options, isJson);
    else await answerLines(conversation, options, isJson, signal);
  } finally {
    await vlm.dispose();
  }
}

/** Answers the lines of a pipe. The first error is the end, and so is `signal`. */
async function answerLines(
  conversation: Conversation,
  options: AskOptions,
  isJson: boolean,
  signal: AbortSignal,
): Promise<void> {
  const reader = new LineReader({
    isInteractive: false,
    complete: () => [[], ""],
    onInterrupt: () => {},
  });
  signal.addEventListener("abort", () => reader.close());
  try {
    for (;;) {
      const line = (await reader.next(""))?.trim();
      if (signal.aborted) throw abortedError("the conversation", signal);
      if (line === undefined || line === "/quit") return;
      if (line === "") continue;
      const question = questionOf(line);
      if (question === undefined) runSlash(conversation, line);
      else
        await namingFlags(() =>
          showAnswer(conversation.ask(question, { ...options, signal }), isJson),
        );
    }
  } finally {
    reader.close();
  }
}

/** A conversation with a person. */
async function talk(
  conversation: Conversation,
  options: AskOptions,
  isJson: boolean,
): Promise<void> {
  const paint = painter(process.stdout);
  const tell = (text: string) => process.stderr.write(`${painter(process.stderr)("dim")(text)}\n`);
  // Whether the next Ctrl-C leaves: after one that stopped an answer or came at an empty prompt.
  let isLeaving = false;
  const leave = () => {
    reader.close();
    process.stderr.write("\n");
    process.exit(interrupted);
  };
  const reader = new LineReader({
    isInteractive: true,
    complete,
    onInterrupt() {
      if (isLeaving) leave();
      isLeaving = true;
      process.stderr.write("\n");
      tell("Ctrl-C once more, Ctrl-D or /quit leaves");
      reader.showPrompt();
    },
  });
  tell("/help lists the commands, Ctrl-D leaves");
  if (conversation.waiting.length > 0)
    tell(`the next question is about ${conversation.waiting.join(", ")}`);
  try {
    for (;;) {
      const line = (await reader.next(paint("bold")("> ")))?.trim();
      if (line === undefined) process.stdout.write("\n");
      if (line === undefined || line === "/quit") return;
      if (line === "") continue;
      isLeaving = false;
      try {
        const question = questionOf(line);
        if (question === undefined) {
          const told = runSlash(conversation, line);
          if (told !== undefined) tell(told);
        } else isLeaving = await answer(conversation, question, options, isJson, leave);
      } catch (error) {
        // The engine's end is the conversation's; all else concerned one line.
        if (!(error instanceof TinyVLMError) || error.code === "worker") throw error;
        complain(`${error.code}: ${error.message}`, "red");
      }
    }
  } finally {
    reader.close();
  }
}

/** Shows an answer; returns whether Ctrl-C stopped it. A second Ctrl-C leaves. */
async function answer(
  conversation: Conversation,
  question: string,
  options: AskOptions,
  isJson: boolean,
  leave: () => void,
): Promise<boolean> {
  const stream = conversation.ask(question, options);
  let isStopped = false;
  const stop = () => {
    if (isStopped) leave();
    isStopped = true;
    stream.cancel();
  };
  const others = process.listeners("SIGINT");
  process.removeAllListeners("SIGINT").on("SIGINT", stop);
  try {
    await namingFlags(() => showAnswer(stream, isJson));
  } finally {
    process.removeListener("SIGINT", stop);
    for (const other of others) process.on("SIGINT", other);
  }
  return isStopped;
}

/** The question that a line is; undefined where it is a command. */
function questionOf(line: string): string | undefined {
  if (line.startsWith("//")) return line.slice(1);
  return line.startsWith("/") ? undefined : line;
}

function runSlash(conversation: Conversation, line: string): string | undefined {
  const [, name = line, argument = ""] = /^(\S+)\s*([^]*)$/.exec(line) ?? [];
  const command = slashCommands[name];
  const known = Object.keys(slashCommands);
  if (!command)
    throw wrongArgument(
      `there is no command ${name}${didYouMean(name, known) || "; see /help"} ` +
        "(a question that begins with / is written //)",
    );
  if (argument !== "" && !command.argument)
    throw wrongArgument(`${name} takes no argument, found "${argument}"`);
  if (argument === "" && command.argument?.startsWith("<"))
    throw wrongArgument(`${name} wants ${command.argument}, found nothing`);
  return command.run(conversation, argument);
}

/** What Tab proposes: commands, and paths after those that take one. */
function complete(line: string): CompleterResult {
  const [, start] = /^\/(?:image|save) +([^]*)$/.exec(line) ?? [];
  if (start === undefined) {
    const names = Object.keys(slashCommands).filter((name) => name.startsWith(line));
    return [line.startsWith("/") ? names.map((name) => `${name} `) : [], line];
  }
  const folder = start.endsWith("/") ? start : start.includes("/") ? `${dirname(start)}/` : "";
  try {
    const paths = readdirSync(folder || ".", { withFileTypes: true }).map(
      (entry) =>
        (folder ? join(folder, entry.name) : entry.name) + (entry.isDirectory() ? "/" : ""),
    );
    return [paths.filter((path) => path.startsWith(start)), start];
  } catch {
    // A folder that cannot be read has nothing to propose.
    return [[], start];
  }
}
