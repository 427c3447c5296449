// The package's entry `tiny-vlm/support` for browsers. An entry of its own, because few pages ask.

import { defaultThreads, reasonAgainstThreads, reasonAgainstWorkers } from "./api/page.js";
import { supportOf, type Support } from "./api/support.js";
import { reasonAgainst } from "./runtime/features.js";

export type { Support } from "./api/support.js";
export type { Variant } from "./api/types.js";

/** What would run here: which build, how many threads, what is missing. Loads nothing. */
export function support(): Support {
  return supportOf({
    reasonAgainstWorkers: reasonAgainstWorkers(),
    reasonAgainstThreads: reasonAgainstThreads(),
    threads: defaultThreads(),
    reasonAgainst: (variant) => reasonAgainst(variant, false),
  });
}
