// What a worker loads when the source of a model is a checkpoint, or a file in parts: a file of its
// own, because few are.

export { openCheckpoint } from "./loader/open-checkpoint.js";
export { openSplitFile } from "./loader/split-file.js";
export { loadConverter } from "./runtime/converter.js";
