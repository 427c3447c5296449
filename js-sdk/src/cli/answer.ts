// An answer on its way to stdout.

import type { AnswerStream } from "../api/stream.js";
import type { Answer } from "../api/types.js";
import { complain, painter } from "./terminal.js";

/**
 * Writes the words of an answer as they are made, then warnings about its images to stderr, with how
 * long it took where that is a terminal; or the whole answer as one line of JSON.
 */
export async function showAnswer(stream: AnswerStream, asJson: boolean): Promise<Answer> {
  if (asJson) {
    const answer = await stream;
    process.stdout.write(`${JSON.stringify(answer)}\n`);
    return answer;
  }
  for await (const piece of stream) process.stdout.write(piece);
  process.stdout.write("\n");
  const answer = await stream;
  for (const warning of answer.warnings) complain(warning, "yellow");
  if (process.stderr.isTTY) {
    const { finishReason, timings, usage, variant, threads } = answer;
    const told = [
      ...(finishReason === "cancelled" ? ["stopped"] : []),
      `first word ${timings.firstTokenMs.toFixed(0)} ms`,
      `${usage.completionTokens} tokens at ${timings.tokensPerSecond.toFixed(0)}/s`,
      variant,
      ...(threads > 1 ? [`${threads} threads`] : []),
    ].join(", ");
    process.stderr.write(`${painter(process.stderr)("dim")(told)}\n`);
  }
  return answer;
}
