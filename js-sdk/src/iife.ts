// The entry for a script tag: one global, `TinyVLM`, with the error class as
// `TinyVLM.TinyVLMError`.

import { TinyVLM, TinyVLMError } from "./index.js";

declare global {
  /** The class that `tiny-vlm` exports, with its error class. */
  var TinyVLM: (typeof import("./index.js"))["TinyVLM"] & {
    TinyVLMError: (typeof import("./index.js"))["TinyVLMError"];
  };
}

Object.assign(globalThis, { TinyVLM: Object.assign(TinyVLM, { TinyVLMError }) });
