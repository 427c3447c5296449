// A native module as src/NativeTinyVLM.ts describes it, in JavaScript; and the built package with
// such a module, or none, in the place of React Native.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { compileFunction } from "node:vm";

const bundle = join(process.cwd(), "build", "react-native", "dist", "index.js");

/** A fresh copy of the package. `native`: its module, or null where the app has none. */
export function loadPackage(native, { react = {}, prelude = "" } = {}) {
  const modules = {
    "react-native": {
      TurboModuleRegistry: { get: (name) => (name === "TinyVLM" ? native : null) },
    },
    react,
  };
  const module = { exports: {} };
  compileFunction(prelude + readFileSync(bundle, "utf8"), ["require", "module", "exports"])(
    (name) => modules[name],
    module,
    module.exports,
  );
  return module.exports;
}

const info = {
  name: "fake",
  architecture: "fastvlm",
  fileBytes: 3000,
  imageSize: 256,
  imageTokens: 16,
  context: 2048,
  maxContext: 32768,
  vocabulary: 1000,
  threads: 4,
  warnings: [],
};

/** A NativeAnswer. */
const answer = (text) => ({
  text,
  finishReason: "stop",
  warnings: [],
  usage: {
    promptTokens: 30,
    imageTokens: 16,
    encodedImages: 1,
    reusedTokens: 0,
    completionTokens: text.split(" ").length - 1,
  },
  timings: {
    decodeImageMs: 1,
    preprocessMs: 1,
    visionMs: 2,
    prefillMs: 3,
    decodeMs: 4,
    tokensPerSecond: 5,
  },
});

/** A rejection as React Native makes one of `promise.reject(code, message, …, userInfo)`. */
export function rejection(code, message, userInfo = null) {
  return Object.assign(new Error(message), { code, userInfo });
}

/**
 * Answers `pieces`, one each `pace` milliseconds. `calls` lists what was called; a test may replace
 * `onLoad`, `onOpenChat` and `onAsk`, which may throw a rejection.
 */
export class FakeNative {
  calls = [];
  pieces = ["A ", "pencil ", "and ", "a ring."];
  pace = 5;
  /** Questions at work at once, at most, so far. */
  crowd = 0;
  #atWork = 0;
  #handlers = { onText: [], onProgress: [] };
  #models = new Map();
  #questions = new Map();

  onText = (handler) => this.#listen("onText", handler);
  onProgress = (handler) => this.#listen("onProgress", handler);

  #listen(event, handler) {
    this.#handlers[event].push(handler);
    return { remove: () => {} };
  }

  /** Sends an event; also one that no module would send any more. */
  emit(event, value) {
    for (const handler of this.#handlers[event]) handler(value);
  }

  /** The arguments of the calls of one method. */
  callsOf(method) {
    return this.calls.filter(([name]) => name === method).map(([, ...args]) => args);
  }

  async onLoad(model) {
    for (const phase of ["download", "weights"])
      for (const loadedBytes of [1000, 3000]) {
        await sleep(this.pace);
        if (!this.#models.has(model)) throw rejection("aborted", "the load was cancelled");
        this.emit("onProgress", { model, phase, loadedBytes, totalBytes: 3000 });
      }
    return info;
  }

  async onAsk(question, state) {
    let text = "";
    for (const piece of this.pieces) {
      await sleep(this.pace);
      if (state.isClosed) throw rejection("aborted", "the model was closed while it answered");
      if (state.isCancelled) return { ...answer(text), finishReason: "cancelled" };
      text += piece;
      this.emit("onText", { question, text: piece });
    }
    return answer(text);
  }

  async load(model, ...args) {
    this.calls.push(["load", model, ...args]);
    this.#models.set(model, true);
    return this.onLoad(model, ...args);
  }

  cancelLoad(model) {
    this.calls.push(["cancelLoad", model]);
    this.#models.delete(model);
  }

  async ask(question, model, ...args) {
    this.calls.push(["ask", question, model, ...args]);
    const state = { model, isCancelled: false, isClosed: false };
    this.#questions.set(question, state);
    this.crowd = Math.max(this.crowd, ++this.#atWork);
    try {
      return await this.onAsk(question, state, ...args);
    } finally {
      this.#atWork--;
      this.#questions.delete(question);
    }
  }

  cancel(question) {
    this.calls.push(["cancel", question]);
    const state = this.#questions.get(question);
    if (state) state.isCancelled = true;
  }

  async openChat(...args) {
    this.calls.push(["openChat", ...args]);
    await this.onOpenChat();
  }

  async onOpenChat() {}

  closeChat(...args) {
    this.calls.push(["closeChat", ...args]);
  }

  async memoryBytes(model) {
    if (!this.#models.has(model)) throw rejection("not_ready", "no such model");
    return 4000;
  }

  async dispose(model) {
    this.calls.push(["dispose", model]);
    this.#models.delete(model);
    for (const state of this.#questions.values()) if (state.model === model) state.isClosed = true;
  }

  async deleteDownload(url) {
    this.calls.push(["deleteDownload", url]);
    return true;
  }
}
