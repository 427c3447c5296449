// The entry for a script tag: one global, `TinyVLM`, with the error class as
// `TinyVLM.TinyVLMError`.

import { TinyVLM, TinyVLMError } from "./index.js";

Object.assign(globalThis, { TinyVLM: Object.assign(TinyVLM, { TinyVLMError }) });
