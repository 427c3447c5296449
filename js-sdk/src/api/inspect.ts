// What `inspect` does: reads a model's header and says what it is and what it would take.

import { checkpointSource } from "./sources.js";
import { TinyVLMError } from "../protocol/errors.js";
import type { ModelInfo, Variant } from "../protocol/values.js";
import type { ModelCache } from "./model-cache.js";
import { open } from "./open.js";
import type { Platform } from "./platform.js";
import type { LoadOptions, ModelSource } from "./types.js";

/** What `TinyVLM.inspect` tells of a model that is not loaded. */
export interface ModelInspection extends ModelInfo {
  /**
   * Bytes of memory that the engine would take here with these options, weights included, images
   * and other things of the moment left out.
   */
  memoryBytes: number;
  /** Bytes of the file that are kept on this device (`TinyVLM.cache`). */
  cachedBytes: number;
  /** The build of the engine that would run. */
  variant: Variant;
}

/** As open, but of the file only the header is read. */
export async function inspect(
  platform: Platform,
  cache: ModelCache,
  source: ModelSource | undefined,
  options: LoadOptions = {},
): Promise<ModelInspection> {
  if (checkpointSource(source, options, platform))
    throw new TinyVLMError(
      "unsupported",
      "wanted a model file to inspect, found a checkpoint; load it, or `tiny-vlm pull` it",
    );
  const { channel, started, info, cacheKey } = await open(platform, source, options, true);
  try {
    const memoryBytes = await channel.call("memory", undefined).reply;
    const kept = cacheKey === undefined ? [] : await cache.list();
    const cachedBytes = kept.find(({ url }) => url === cacheKey)?.storedBytes ?? 0;
    return { ...info, memoryBytes, cachedBytes, variant: started.variant };
  } finally {
    await channel.close(new TinyVLMError("aborted", "the model was inspected"));
  }
}
