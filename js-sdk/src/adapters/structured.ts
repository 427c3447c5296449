// What answers must look like, and how probable their tokens were.

import type { Answer, AskOptions } from "../api/types.js";

export type { ResponseFormat } from "../api/types.js";

/** Options of a question that an adapter passes on. */
export type AdapterAskOptions = AskOptions & { logprobs?: number | undefined };

/** A token that could have been drawn. */
export interface TokenLogprob {
  text: string;
  bytes: ArrayLike<number>;
  logprob: number;
}

/** The tokens of an answer with their alternatives; undefined where they were not asked for. */
export function logprobsOf(answer: Answer): (TokenLogprob & { top: TokenLogprob[] })[] | undefined {
  return (answer as { logprobs?: (TokenLogprob & { top: TokenLogprob[] })[] }).logprobs;
}
