// The one model of the page: loading with progress and time left, swapping it, starting it again
// after a failure.
import { TinyVLM } from "../../dist/index.mjs";

export const DEMO_MODEL = { label: "Demo model", isDemo: true, source: undefined };

export class ModelSlot {
  #onChange;
  #choice = null;
  #vlm = null;
  #loading = null; // Promise<TinyVLM>
  #abort = null;

  /**
   * @param {(state: object) => void} onChange  told every change: {phase: "loading" | "ready" |
   * "failed", choice, loadedBytes, totalBytes, secondsLeft, error}
   */
  constructor(onChange) {
    this.#onChange = onChange;
  }

  get isReady() {
    return this.#vlm !== null;
  }

  get choice() {
    return this.#choice;
  }

  /**
   * Loads a model in place of the present one, which is disposed of first so that two never share
   * the memory.
   * @param {{label: string, isDemo: boolean, source: string | File | undefined}} choice
   */
  load(choice) {
    this.#abort?.abort();
    void this.#vlm?.dispose();
    this.#vlm = null;
    this.#choice = choice;
    const abort = new AbortController();
    this.#abort = abort;
    const tell = (state) => {
      if (!abort.signal.aborted)
        this.#onChange({
          choice,
          loadedBytes: 0,
          totalBytes: 0,
          secondsLeft: null,
          error: null,
          ...state,
        });
    };

    const rate = new Rate();
    let last = { loadedBytes: 0, totalBytes: 0 };
    tell({ phase: "loading" });
    const onProgress = ({ loadedBytes, totalBytes }) => {
      last = { loadedBytes, totalBytes: totalBytes ?? 0 };
      tell({
        phase: "loading",
        ...last,
        secondsLeft: rate.secondsLeft(loadedBytes, last.totalBytes),
      });
    };
    const loading = TinyVLM.load(choice.source, { onProgress, signal: abort.signal }).then(
      (vlm) => {
        if (abort.signal.aborted) void vlm.dispose();
        else this.#vlm = vlm;
        tell({ phase: "ready", ...last });
        return vlm;
      },
    );
    loading.catch((error) => tell({ phase: "failed", error, ...last }));
    this.#loading = loading;
  }

  /** The model once it is ready; rejects as the load does. */
  ready() {
    return this.#loading;
  }
}

/**
 * Bytes per second over the last few seconds, so that a stall shows and a fast start does not
 * flatter.
 */
class Rate {
  static #WINDOW_MS = 4000;
  static #SETTLE_MS = 400; // before this nothing sensible can be said
  #samples = [{ time: performance.now(), bytes: 0 }];

  /** Seconds until totalBytes, or null while it cannot be told. */
  secondsLeft(loadedBytes, totalBytes) {
    const now = performance.now();
    this.#samples.push({ time: now, bytes: loadedBytes });
    while (this.#samples.length > 2 && now - this.#samples[0].time > Rate.#WINDOW_MS)
      this.#samples.shift();
    const elapsed = now - this.#samples[0].time;
    const bytesPerMs = (loadedBytes - this.#samples[0].bytes) / elapsed;
    if (!totalBytes || elapsed < Rate.#SETTLE_MS || bytesPerMs <= 0) return null;
    return (totalBytes - loadedBytes) / bytesPerMs / 1000;
  }
}
