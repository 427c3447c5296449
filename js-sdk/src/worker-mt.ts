// The worker for several threads. Emscripten starts its pool threads from this same script; in those the glue runs alone, without options.

import createSimdMt from "glue:simd-mt";
import { isPoolThread } from "./worker/platform.js";
import { serve } from "./worker/serve.js";

void isPoolThread().then<unknown>((poolThread) => (poolThread ? createSimdMt() : serve({ "simd-mt": createSimdMt })));
