// How a command may end: the exit codes.

import { errorNumbers, type ErrorCode } from "../protocol/errors.js";

/** What a process exits with where some of the images failed. */
export const someFailed = 100;
/** What a process exits with after Ctrl-C: 128 and the signal's number, as shells have it. */
export const interrupted = 130;

/** An error, or one of the two ends that are none of the SDK's errors. */
export type Outcome = ErrorCode | "some_failed" | "interrupted";

/** How loading a model may end. */
export const loadingOutcomes: readonly Outcome[] = [
  "invalid_argument",
  "not_found",
  "invalid_file",
  "unsupported",
  "out_of_memory",
  "io",
  "network",
  "http",
  "worker",
  "interrupted",
];

const meanings: Readonly<Record<Outcome, string>> = {
  invalid_argument: "wrong usage: a command, flag or value",
  not_found: "a file that does not exist",
  invalid_file: "a model file or an output that is damaged or another",
  unsupported: "a model or a build that cannot run here",
  out_of_memory: "not enough memory for model, context or image",
  invalid_image: "an image that is damaged, empty or neither PNG nor JPEG",
  context_full: "images and question exceed the context",
  io: "the operating system could not read or write a file",
  not_ready: "a call in the wrong order",
  internal: "a bug in Tiny-VLM",
  network: "no answer from a server, or the connection broke",
  http: "a server answered with an error",
  aborted: "declined by the user",
  worker: "the engine could not be started, or crashed",
  some_failed: "some of the images failed; their rows say why",
  interrupted: "interrupted by Ctrl-C",
};

/** The exit code of an outcome. */
export function exitCodeOf(outcome: Outcome): number {
  if (outcome === "some_failed") return someFailed;
  return outcome === "interrupted" ? interrupted : errorNumbers[outcome];
}

/** Success and every outcome, in the order of the exit codes, each with its meaning. */
export const allOutcomes = Object.keys(meanings) as Outcome[];

/** One line for each of `outcomes` and for success: exit code, name, meaning. */
export function exitCodeLines(outcomes: readonly Outcome[]): string[] {
  const width = Math.max(...outcomes.map((outcome) => outcome.length));
  const line = (code: number, name: string, meaning: string) =>
    `  ${String(code).padEnd(3)}  ${name.padEnd(width)}  ${meaning}`;
  const rest = outcomes
    .map((outcome) => [exitCodeOf(outcome), outcome, meanings[outcome]] as const)
    .sort(([a], [b]) => a - b);
  return [line(0, "", "success"), ...rest.map((entry) => line(...entry))];
}
