// One model for all sessions of a class: loaded for the first, disposed of with the last.

import { TinyVLM } from "tiny-vlm";
import type { LoadedModel } from "../../api/client.js";
import type { LoadOptions, ModelSource } from "../../api/types.js";

interface Loading {
  model: Promise<LoadedModel>;
  abort: AbortController;
  users: number;
  isReady: boolean;
}

export class SharedModel {
  readonly #source: ModelSource | undefined;
  readonly #options: LoadOptions;
  readonly #watchers = new Set<(share: number) => void>();
  #loading: Loading | undefined;

  constructor(source: ModelSource | undefined, options: LoadOptions) {
    this.#source = source;
    this.#options = options;
  }

  /** Whether the model is there, on its way, on the device, or has to be fetched. */
  async state(): Promise<"available" | "downloading" | "downloadable"> {
    if (this.#loading) return this.#loading.isReady ? "available" : "downloading";
    const addresses = [this.#source]
      .flat()
      .filter((one) => typeof one === "string" || one instanceof URL);
    const names = addresses.flatMap((one) => [String(one), absolute(String(one))]);
    try {
      const kept = await TinyVLM.cache.list();
      const whole = kept.some(
        ({ url, storedBytes, totalBytes }) => names.includes(url) && storedBytes === totalBytes,
      );
      return whole ? "available" : "downloadable";
    } catch {
      return "downloadable"; // nothing can be kept here
    }
  }

  /**
   * The model for one more user. `watch` is told the share of it that is there, from 0 to 1; `signal`
   * ends the waiting, and the loading where nobody else waits.
   */
  async acquire(
    signal: AbortSignal | undefined,
    watch: (share: number) => void,
  ): Promise<{ model: LoadedModel; release: () => void }> {
    signal?.throwIfAborted();
    const loading = (this.#loading ??= this.#load());
    loading.users++;
    let isReleased = false;
    const release = () => {
      if (isReleased) return;
      isReleased = true;
      if (--loading.users === 0) this.#end(loading);
    };
    watch(0);
    this.#watchers.add(watch);
    try {
      const model = await orAborted(loading.model, signal);
      watch(1);
      return { model, release };
    } catch (reason) {
      release();
      throw reason;
    } finally {
      this.#watchers.delete(watch);
    }
  }

  #load(): Loading {
    const abort = new AbortController();
    const model = TinyVLM.load(this.#source, {
      ...this.#options,
      signal: abort.signal,
      onProgress: (progress) => {
        const { loadedBytes, totalBytes } = progress;
        const share = totalBytes > 0 ? loadedBytes / totalBytes : 0;
        if (share < 1) for (const watch of this.#watchers) watch(share);
        this.#options.onProgress?.(progress);
      },
    });
    const loading: Loading = { model, abort, users: 0, isReady: false };
    model.then(
      () => {
        loading.isReady = true;
      },
      () => {
        if (this.#loading === loading) this.#loading = undefined;
      },
    );
    return loading;
  }

  #end(loading: Loading): void {
    if (this.#loading === loading) this.#loading = undefined;
    loading.abort.abort();
    // Where it does not load, there is nothing to dispose of.
    loading.model.then((model) => model.dispose()).catch(() => {});
  }
}

function absolute(address: string): string {
  try {
    return new URL(address, globalThis.location?.href).href;
  } catch {
    return address;
  }
}

function orAborted<T>(promise: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  if (!signal) return promise;
  return new Promise((resolve, reject) => {
    const abort = () => reject(signal.reason);
    signal.addEventListener("abort", abort);
    void promise.then(resolve, reject).finally(() => signal.removeEventListener("abort", abort));
  });
}
