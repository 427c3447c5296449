// What a worker loads when a checkpoint is the source of a model: a file of its own, because few
// are.

export { openCheckpoint } from "./loader/open-checkpoint.js";
export { loadConverter } from "./runtime/converter.js";
