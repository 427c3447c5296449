// The package's entry `tiny-vlm/support` for Node.

import { availableParallelism } from "node:os";
import { threadsFor } from "./api/platform.js";
import { supportOf, type Support } from "./api/support.js";
import { reasonAgainst } from "./runtime/features.js";

/** What would run here: which build, how many threads, what is missing. Loads nothing. */
export function support(): Support {
  return supportOf({
    reasonAgainstWorkers: undefined,
    reasonAgainstThreads: undefined,
    threads: threadsFor(availableParallelism()),
    reasonAgainst: (variant) => reasonAgainst(variant, true),
  });
}
