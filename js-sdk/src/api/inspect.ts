// What `inspect` does: reads a model's header and says what it is and what it would take.

import { TinyVLMError } from "../protocol/errors.js";
import type { ModelCache } from "./model-cache.js";
import { open } from "./open.js";
import type { Platform } from "./platform.js";
import { checkpointSource } from "./sources.js";
import type { LoadOptions, ModelInspection, ModelSource } from "./types.js";

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
