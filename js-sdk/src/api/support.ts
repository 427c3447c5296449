// What would run here, told before anything is loaded.

import { isThreaded, variants, type Variant } from "../protocol/values.js";

/** What this browser, page or runtime can run; see `support`. */
export interface Support {
  /**
   * The build that `load` would try first, unless it is told otherwise; undefined where none can
   * run. Its self-test, at loading, may still rule it out.
   */
  variant: Variant | undefined;
  /** How many threads it would use; 0 where none can run. */
  threads: number;
  /** Why no better build runs, a sentence each; empty where the best one does. */
  missing: string[];
}

/** What `supportOf` needs to know of its surroundings. */
export interface Place {
  /** Why there are no workers, or undefined where there are. */
  reasonAgainstWorkers: string | undefined;
  /** Why there are no threads, or undefined where there are. */
  reasonAgainstThreads: string | undefined;
  /** How many threads `load` uses by default. */
  threads: number;
  /** Why a build cannot run on this machine, or undefined where it can. */
  reasonAgainst(variant: Variant): string | undefined;
}

/** What a place can run. */
export function supportOf(place: Place): Support {
  const { reasonAgainstWorkers, reasonAgainstThreads, threads } = place;
  if (reasonAgainstWorkers !== undefined)
    return { variant: undefined, threads: 0, missing: [reasonAgainstWorkers] };
  const oneProcessor = threads < 2 ? "this machine has one processor" : undefined;
  const missing = new Set<string>();
  for (const variant of variants) {
    const reason =
      (isThreaded(variant) ? (reasonAgainstThreads ?? oneProcessor) : undefined) ??
      place.reasonAgainst(variant);
    if (reason === undefined)
      return { variant, threads: isThreaded(variant) ? threads : 1, missing: [...missing] };
    missing.add(reason);
  }
  return { variant: undefined, threads: 0, missing: [...missing] };
}
