// The package's entry.

import "./symbols.js";

export { TinyVLMError } from "../../../js-sdk/src/protocol/errors.js";
export { useTinyVLM } from "./hook.js";
export type { Shown, UseTinyVLM, UseTinyVLMOptions } from "./hook.js";
export { TinyVLM } from "./tiny-vlm.js";
export type { DownloadCache } from "./tiny-vlm.js";
export type { LoadedModel } from "./model.js";
export type * from "./types.js";
