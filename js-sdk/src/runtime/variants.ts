// From a list of variants to a running engine: the first one that loads, instantiates and passes
// its self-test.

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

/** The Emscripten factories that a worker file contains. */
export type Factories = Partial<Record<Variant, EngineFactory>>;

export interface ChosenEngine {
  /** undefined: none of the variants runs here. */
  chosen: { variant: Variant; module: EngineModule } | undefined;
  /** Those tried before it. */
  rejected: RejectedVariant[];
}

/**
 * Tries `variants` in order. Errors: `out_of_memory`, and whatever keeps a wasm file from being
 * read: that says nothing about the machine, so no slower build is run in its place.
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
    const against = factory
      ? reasonAgainst(variant, inNode)
      : "this worker file does not contain it";
    if (!factory || against) {
      rejected.push({ variant, reason: against as string, permanent: true });
      continue;
    }
    try {
      const module = await createModule(factory, await compile(variant), options);
      return { chosen: { variant, module }, rejected };
    } catch (error) {
      if (!(error instanceof UnfitVariant)) throw error;
      rejected.push({ variant, reason: error.message, permanent: error.permanent });
      if (error instanceof UnfitThreads) break;
    }
  }
  return { chosen: undefined, rejected };
}
