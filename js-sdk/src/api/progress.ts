// What a caller is told while a model loads, and says about how it is kept.

/** How far loading is; passed to `onProgress`. */
export interface LoadProgress {
  /**
   * `engine` once, before the WebAssembly engine starts; `weights` repeatedly, while the model file
   * arrives; `ready` once, at the end.
   */
  phase: "engine" | "weights" | "ready";
  /** Bytes of the model file that have arrived; never more than `totalBytes` once that is known. */
  loadedBytes: number;
  /** Size of the model file in bytes; 0 while unknown. */
  totalBytes: number;
  /** Of the loaded bytes: those that were on this device already. */
  cachedBytes: number;
  /** Bytes that arrive over the network in a second, of late; 0 while unknown. */
  bytesPerSecond: number;
  /** Seconds until all bytes are there, at that speed; undefined while unknown. */
  secondsLeft: number | undefined;
}

/** How a model is kept on the device. */
export interface CacheOptions {
  /**
   * The name under which it is kept, where the address will not do: a signed one is another each
   * time. Default: the address.
   */
  key?: string | undefined;
  /**
   * The most bytes that all kept models may have together: those that were not used for longest are
   * deleted first. Default: no limit.
   */
  maxBytes?: number | undefined;
}
