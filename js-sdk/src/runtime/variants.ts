// From a list of variants to a running engine: the first one that loads, instantiates and passes
// its self-test.

import { TinyVLMError } from "../protocol/errors.js";
import type { RejectedVariant } from "../protocol/messages.js";
import type { Variant } from "../protocol/values.js";
import { reasonAgainst } from "./features.js";
import {
  createModule,
  UnfitThreads,
  UnfitVariant,
  type EngineFactory,
  type EngineModule,
  type ModuleOptions,
} from "./module.js";

/** The glue that a worker file carries. */
export type Factories = Partial<Record<Variant, EngineFactory>>;

export interface ChosenEngine {
  variant: Variant;
  module: EngineModule;
  rejected: RejectedVariant[];
}

/**
 * Tries `variants` in order. Errors: `unsupported` where none runs here (with the reason of each),
 * `out_of_memory`, and whatever keeps a wasm file from being read: that is no verdict on the
 * machine, so no slower build is run in its place.
 */
export async function chooseEngine(
  variants: Variant[],
  factories: Factories,
  compile: (variant: Variant) => Promise<WebAssembly.Module>,
  inNode: boolean,
  options: ModuleOptions,
): Promise<ChosenEngine> {
  const rejected: RejectedVariant[] = [];
  for (const variant of variants) {
    const factory = factories[variant];
    const against = factory ? reasonAgainst(variant, inNode) : "this worker file does not carry it";
    if (!factory || against) {
      rejected.push({ variant, reason: against as string });
      continue;
    }
    try {
      const module = await createModule(factory, await compile(variant), options);
      return { variant, module, rejected };
    } catch (error) {
      if (!(error instanceof UnfitVariant)) throw error;
      rejected.push({ variant, reason: error.message });
      if (error instanceof UnfitThreads) break;
    }
  }
  throw new TinyVLMError(
    "unsupported",
    `the engine cannot run here: ${rejected.map(({ variant, reason }) => `${variant}: ${reason}`).join("; ")}`,
  );
}
