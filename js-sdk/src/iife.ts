// The entry for a script tag: one global, `TinyVLM`, with what the package exports beside it as
// `TinyVLM.TinyVLMError` and `TinyVLM.support`.

import { TinyVLM, TinyVLMError } from "./index.js";
import { support } from "./support.js";

declare global {
  /** The class that `tiny-vlm` exports, with its error class and `support`. */
  var TinyVLM: (typeof import("./index.js"))["TinyVLM"] & {
    /** What calls fail with. */
    TinyVLMError: (typeof import("./index.js"))["TinyVLMError"];
    /** What would run here: the entry `tiny-vlm/support`. */
    support: (typeof import("./support.js"))["support"];
  };
}

Object.assign(globalThis, { TinyVLM: Object.assign(TinyVLM, { TinyVLMError, support }) });
