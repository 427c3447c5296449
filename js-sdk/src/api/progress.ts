// What a caller is told while a model loads.

/** How far loading is; passed to `onProgress`. */
export interface LoadProgress {
  /**
   * `engine` once, before the WebAssembly engine starts; `weights` repeatedly, while the model file
   * arrives; `ready` once, at the end.
   */
  phase: "engine" | "weights" | "ready";
  /** Bytes of the model file that have arrived. */
  loadedBytes: number;
  /** Size of the model file in bytes; 0 while unknown. */
  totalBytes: number;
}
