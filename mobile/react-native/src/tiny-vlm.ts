// The class that callers begin with.

import { describe } from "../../../js-sdk/src/api/sources.js";
import { Rate } from "../../../js-sdk/src/loader/rate.js";
import { abortedError, TinyVLMError } from "../../../js-sdk/src/protocol/errors.js";
import { nextNumber, theBridge, type NativeProgress } from "./bridge.js";
import { LoadedModel } from "./model.js";
import { addressOf, checkLoadOptions, sourceOf } from "./options.js";
import type { LoadOptions, LoadProgress, ModelSource } from "./types.js";

/** The model files that `load` has downloaded. */
export class DownloadCache {
  /**
   * Deletes what was downloaded from an address, as `load` was given it, also where the download
   * had not ended; false where there was nothing. Not while it is loaded.
   */
  async delete(source: ModelSource): Promise<boolean> {
    const url = addressOf(source);
    if (!/^https?:/i.test(url))
      throw new TinyVLMError(
        "invalid_argument",
        `wanted the address that a model was downloaded from, found ${describe(source)}`,
      );
    return theBridge().deleteDownload(url);
  }
}

/** A model on this phone, with the SDK's ways to ask it. */
export class TinyVLM extends LoadedModel {
  /** The model files that were downloaded. */
  static readonly cache: DownloadCache = new DownloadCache();

  /**
   * Loads a model; resolves when it can be asked. Rejects with `unsupported` where the app was
   * built without the native module, `invalid_argument`, `not_found`, `invalid_file`, `network`,
   * `http`, `io`, `out_of_memory`, and `aborted` where `options.signal` fired.
   */
  static async load(source: ModelSource, options: LoadOptions = {}): Promise<TinyVLM> {
    const native = checkLoadOptions(options);
    const from = sourceOf(source, options);
    const { signal, onProgress } = options;
    if (signal?.aborted) throw abortedError("loading", signal);
    const bridge = theBridge();
    const number = nextNumber();
    const progress = new Progress(onProgress);
    let stopListening = () => {};
    const abortion = new Promise<never>((_, reject) => {
      const abort = () => {
        progress.end();
        bridge.cancelLoad(number);
        reject(abortedError("loading", signal));
      };
      signal?.addEventListener("abort", abort);
      stopListening = () => signal?.removeEventListener("abort", abort);
    });
    progress.begin();
    const loading = bridge.load(number, from, native, (step) => progress.tell(step));
    try {
      const info = await Promise.race([loading, abortion]);
      progress.ready(info.fileBytes);
      return new TinyVLM({ bridge, number, info });
    } catch (error) {
      // One that was loaded although nobody wants it any more.
      loading.then(() => bridge.dispose(number)).catch(() => {});
      throw error;
    } finally {
      stopListening();
    }
  }
}

/** Tells a caller how far a load is. */
class Progress {
  #told: ((progress: LoadProgress) => void) | undefined;
  readonly #rate = new Rate();

  constructor(told: ((progress: LoadProgress) => void) | undefined) {
    this.#told = told;
  }

  begin(): void {
    this.#told?.({ phase: "engine", ...noBytes });
  }

  tell({ phase, loadedBytes, totalBytes }: NativeProgress): void {
    if (phase !== "download")
      return this.#told?.({ ...noBytes, phase: "weights", loadedBytes, totalBytes });
    this.#rate.add(loadedBytes, performance.now());
    const { bytesPerSecond } = this.#rate;
    const isKnown = bytesPerSecond > 0 && totalBytes > 0;
    const secondsLeft = isKnown ? (totalBytes - loadedBytes) / bytesPerSecond : undefined;
    this.#told?.({ phase, loadedBytes, totalBytes, bytesPerSecond, secondsLeft });
  }

  ready(fileBytes: number): void {
    const whole = { loadedBytes: fileBytes, totalBytes: fileBytes, secondsLeft: 0 };
    this.#told?.({ ...noBytes, phase: "ready", ...whole });
  }

  end(): void {
    this.#told = undefined;
  }
}

const noBytes = { loadedBytes: 0, totalBytes: 0, bytesPerSecond: 0, secondsLeft: undefined };
