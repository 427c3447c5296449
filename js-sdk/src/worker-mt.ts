// The worker of the builds with threads. Emscripten starts its pool threads from this same script.
// There the glue runs alone, without options, and cannot tell which build it serves: both builds
// share one glue (scripts/build-sdk.mjs checks it).

import createThreaded from "glue:simd-mt";
import { isPoolThread, trustPoolThreads, webPlatform } from "./worker/web-platform.js";
import { serve } from "./worker/serve.js";

trustPoolThreads();
if (isPoolThread()) void createThreaded();
else serve({ "relaxed-mt": createThreaded, "simd-mt": createThreaded }, webPlatform());
