// Emscripten's JavaScript for each build; scripts/build-sdk.mjs resolves these names.

declare module "glue:scalar" {
  const createEngine: import("./runtime/module.js").EngineFactory;
  export default createEngine;
}
declare module "glue:relaxed" {
  const createEngine: import("./runtime/module.js").EngineFactory;
  export default createEngine;
}
declare module "glue:simd" {
  const createEngine: import("./runtime/module.js").EngineFactory;
  export default createEngine;
}
declare module "glue:simd-mt" {
  const createEngine: import("./runtime/module.js").EngineFactory;
  export default createEngine;
}
