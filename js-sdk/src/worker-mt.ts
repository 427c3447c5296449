// The worker for several threads. Its builds have one glue (scripts/build-sdk.mjs makes sure), because a pool thread is not told which one it is of. Emscripten starts its pool threads from this same script; in those the glue runs alone, without options.

import createThreaded from "glue:simd-mt";
import { isPoolThread } from "./worker/platform.js";
import { serve } from "./worker/serve.js";

void isPoolThread().then<unknown>((poolThread) => (poolThread ? createThreaded() : serve({ "relaxed-mt": createThreaded, "simd-mt": createThreaded })));
