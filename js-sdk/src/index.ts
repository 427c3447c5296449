// The package's entry for browsers.

export { TinyVLM } from "./api/browser.js";
export { TinyVLMError } from "./protocol/errors.js";
export type { CacheEstimate, ModelCache } from "./api/model-cache.js";
export type { Chat } from "./api/chat.js";
export type { AnswerStream } from "./api/stream.js";
export type * from "./api/types.js";
