// The worker for one thread. Its builds share their glue; the worker's file holds it once
// (scripts/build-sdk.mjs).

import createRelaxed from "glue:relaxed";
import createScalar from "glue:scalar";
import createSimd from "glue:simd";
import { serve } from "./worker/serve.js";

void serve({ relaxed: createRelaxed, simd: createSimd, scalar: createScalar });
