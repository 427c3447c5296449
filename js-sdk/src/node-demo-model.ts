// The package's entry `tiny-vlm/demo-model` for Node. An entry of its own, so that tools that
// collect what a program needs take the file for those alone who import it.

import { bundledUrl, demoModelFile } from "./api/assets.js";

/**
 * The address of the demo model that comes with the package (6.3 MB), for `TinyVLM.load`. It knows
 * drawings of about 180 things.
 */
export const demoModel: string = bundledUrl(demoModelFile, () => {
  // In a function with a body, as in api/node.ts.
  return new URL("./model/tiny-vlm-demo.gguf", import.meta.url);
});
