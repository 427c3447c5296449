// The entry for a script tag: one global, the class, with the error class on it.

import { TinyVLM, TinyVLMError } from "./index.js";

Object.assign(globalThis, { TinyVLM: Object.assign(TinyVLM, { TinyVLMError }) });
