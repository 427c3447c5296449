// Parts of the page's side that few pages need, in a file of their own (page-parts.mjs).

export { spawnFromText } from "./protocol/spawn-from-text.js";
export { drawFile, pixelsOf } from "./image/page-images.js";
