// The worker for one thread. The two builds share their glue; the worker's file holds it once (scripts/build-sdk.mjs).

import createScalar from "glue:scalar";
import createSimd from "glue:simd";
import { serve } from "./worker/serve.js";

void serve({ simd: createSimd, scalar: createScalar });
