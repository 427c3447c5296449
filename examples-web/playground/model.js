// The one model of the page: loading with progress and time left, swapping it, starting it again
// after a failure.
import { TinyVLM } from "../../dist/index.mjs";

export const DEMO_MODEL = { label: "Demo model", isDemo: true, source: undefined };

// The smallest: a page has little memory.
const CHECKPOINT_TYPE = "q4_0";

export class ModelSlot {
  #onChange;
  #choice = null;
  #vlm = null;
  #loading = null; // Promise<TinyVLM>
  #abort = null;

  /**
   * @param {(state: object) => void} onChange  told every change: {phase: "loading" | "ready" |
   * "failed", choice, loadedBytes, totalBytes, secondsLeft, error, warnings}
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
   * the memory. A checkpoint is converted on the way.
   * @param {{label: string, isDemo: boolean, isCheckpoint?: boolean, source: string | File |
   * undefined | Promise<FileSystemDirectoryHandle | File[]>}} choice
   */
  load(choice) {
    this.#abort?.abort();
    void this.#vlm?.dispose();
    this.#vlm = null;
    this.#choice = choice;
    const abort = new AbortController();
    this.#abort = abort;
    const warnings = [];
    const tell = (state) => {
      if (!abort.signal.aborted)
        this.#onChange({
          choice,
          loadedBytes: 0,
          totalBytes: 0,
          secondsLeft: null,
          error: null,
          warnings,
          ...state,
        });
    };

    let last = { loadedBytes: 0, totalBytes: 0 };
    tell({ phase: "loading" });
    const onProgress = ({ loadedBytes, totalBytes, secondsLeft }) => {
      last = { loadedBytes, totalBytes };
      tell({ phase: "loading", ...last, secondsLeft: secondsLeft ?? null });
    };
    const options = {
      onProgress,
      onWarning: (warning) => warnings.push(warning),
      signal: abort.signal,
      type: CHECKPOINT_TYPE,
    };
    const loading = Promise.resolve(choice.source)
      .then((source) => TinyVLM.load(source, options))
      .then((vlm) => {
        if (abort.signal.aborted) void vlm.dispose();
        else this.#vlm = vlm;
        tell({ phase: "ready", loadedBytes: vlm.info.fileBytes });
        return vlm;
      });
    loading.catch((error) => tell({ phase: "failed", error, ...last }));
    this.#loading = loading;
  }

  /** The model once it is ready; rejects as the load does. */
  ready() {
    return this.#loading;
  }
}
