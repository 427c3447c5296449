// The worker of the builds without threads, in Node. Their Emscripten glue is the same text: the
// bundle contains it once (scripts/build-sdk.mjs).

import createRelaxed from "glue:relaxed";
import createScalar from "glue:scalar";
import createSimd from "glue:simd";
import { nodePlatform } from "./worker/node-platform.js";
import { serve } from "./worker/serve.js";

serve({ relaxed: createRelaxed, simd: createSimd, scalar: createScalar }, nodePlatform());
