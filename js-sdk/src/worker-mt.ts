// The worker for several threads. Emscripten starts its pool threads from this same script; in
// those the glue runs alone, without options, and does not know for which build: they have one glue
// (scripts/build-sdk.mjs makes sure).

import createThreaded from "glue:simd-mt";
import { isPoolThread } from "./worker/platform.js";
import { serve } from "./worker/serve.js";

void isPoolThread().then<unknown>((poolThread) =>
  poolThread
    ? createThreaded()
    : serve({ "relaxed-mt": createThreaded, "simd-mt": createThreaded }),
);
