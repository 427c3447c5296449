// What `load` does: from a model source to a worker with the model loaded.

import type { Channel } from "../protocol/channel.js";
import { abortedError, asTinyVLMError } from "../protocol/errors.js";
import type { StartedEngine } from "../protocol/messages.js";
import type { ModelInfo } from "../protocol/values.js";
import { launch } from "./launch.js";
import { checkLoadOptions } from "./options.js";
import type { Platform } from "./platform.js";
import { modelSource } from "./sources.js";
import type { LoadOptions, ModelSource } from "./types.js";

/** A worker in which a model is loaded. */
export interface Opened {
  channel: Channel;
  started: StartedEngine;
  info: ModelInfo;
  platform: Platform;
}

/**
 * Starts a worker and loads the model into it. Errors: those of launch, of the loader and of the
 * engine, and `aborted`.
 */
export async function open(
  platform: Platform,
  given: ModelSource | undefined,
  options: LoadOptions = {},
): Promise<Opened> {
  const session = checkLoadOptions(options);
  const { signal, onProgress } = options;
  if (signal?.aborted) throw abortedError("loading", signal);
  const source = await modelSource(given, platform);
  onProgress?.({ phase: "engine", loadedBytes: 0, totalBytes: 0 });
  const { channel, started } = await launch(platform, options);
  const abort = () => void channel.close(abortedError("loading", signal));
  signal?.addEventListener("abort", abort);
  if (signal?.aborted) abort();
  try {
    const args = { source, threads: started.threads, session };
    const transfer = source.kind === "stream" ? [source.stream as unknown as Transferable] : [];
    const onEvent = (event: { loadedBytes: number; totalBytes: number }) =>
      onProgress?.({ phase: "weights", ...event });
    const info = await channel.call("load", args, { onEvent, transfer }).reply;
    onProgress?.({ phase: "ready", loadedBytes: info.fileBytes, totalBytes: info.fileBytes });
    return { channel, started, info, platform };
  } catch (reason) {
    const error = asTinyVLMError(reason);
    await channel.close(error);
    throw error;
  } finally {
    signal?.removeEventListener("abort", abort);
  }
}
