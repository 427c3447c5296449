// The package's entry `tiny-vlm/support` for Node.

import { threadsFor } from "./api/platform.js";
import { usableProcessors } from "./api/processors.js";
import { supportOf, type Support } from "./api/support.js";
import { reasonAgainst } from "./runtime/features.js";

/** What would run here: which build, how many threads, what is missing. Loads nothing. */
export function support(): Support {
  return supportOf({
    reasonAgainstWorkers: undefined,
    reasonAgainstThreads: undefined,
    threads: threadsFor(usableProcessors()),
    reasonAgainst: (variant) => reasonAgainst(variant, true),
  });
}
