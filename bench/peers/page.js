// The page in which engines are measured. in-browser.mjs calls `bench.open`, `bench.run` and
// `bench.close`; values come back in the unit of the work.
import { TinyVLM } from "/dist/index.mjs";
import * as ort from "/peers/onnxruntime-web/dist/ort.wasm.min.mjs";
import { Wllama } from "/peers/@wllama/wllama/esm/index.js";
import { DECODE_PROMPT_ROWS, DECODE_STEPS, PREFILL_ROWS, promptOf } from "./prompt.mjs";

const CONTEXT = 2048;

function expect(what, wanted, found) {
  if (wanted !== found) throw new Error(`${what}: ${wanted} wanted, ${found} found`);
}

async function timed(work) {
  const start = performance.now();
  await work();
  return performance.now() - start;
}

const blobOf = async (url) => (await fetch(url)).blob();

/**
 * Ours. {model, variant, threads, imageSize, work}; images are sample images, another one in every
 * round, so that each is encoded.
 */
class Ours {
  static async open(options) {
    const engine = new Ours();
    Object.assign(engine, options);
    if (engine.work === "load") engine.file = engine.model && (await blobOf(engine.model));
    else engine.vlm = await engine.#load(engine.model);
    return engine;
  }

  #load(source) {
    const { variant, threads, imageSize, work } = this;
    const chatStyle = /^(prefill|decode|load)/.test(work) && this.model ? "plain" : undefined;
    return TinyVLM.load(source, {
      variant,
      threads,
      imageSize,
      chatStyle,
      context: this.model ? CONTEXT : undefined,
    });
  }

  async load() {
    let vlm;
    const ms = await timed(async () => {
      vlm = await this.#load(this.file);
    });
    await vlm.dispose();
    return ms;
  }

  async vision(round) {
    const { usage, timings } = await this.vlm.ask(
      `/examples-web/samples/sample-${(round % 6) + 1}.png`,
      "?",
      { maxTokens: 1 },
    );
    expect("images encoded", 1, usage.encodedImages);
    return timings.visionMs;
  }

  async #text(rows, maxTokens, round) {
    const { usage, timings } = await this.vlm.ask(null, promptOf(rows, round), {
      maxTokens,
      temperature: 0,
    });
    expect("rows of the prompt", rows, usage.promptTokens);
    expect("rows known before", 0, usage.reusedTokens);
    expect("tokens", maxTokens, usage.completionTokens);
    return timings;
  }

  async prefill(round) {
    return (1000 * PREFILL_ROWS) / (await this.#text(PREFILL_ROWS, 1, round)).prefillMs;
  }

  async decode(round) {
    return (
      (1000 * DECODE_STEPS) /
      (await this.#text(DECODE_PROMPT_ROWS, DECODE_STEPS + 1, round)).decodeMs
    );
  }

  /** From ask() with a JPEG of a megapixel to the first text. */
  async firstWord(round) {
    // The engine remembers the last images' encodings, so this one differs from all before by a
    // small square.
    const bitmap = await createImageBitmap(
      await blobOf(`/examples-web/samples/sample-${(round % 6) + 1}-1024.jpg`),
    );
    const canvas = new OffscreenCanvas(bitmap.width, bitmap.height);
    const context = canvas.getContext("2d");
    context.drawImage(bitmap, 0, 0);
    context.fillRect(20 * round, 20 * round, 16, 16);
    const image = await canvas.convertToBlob({ type: "image/jpeg", quality: 0.9 });
    let reply;
    const ms = await timed(() => {
      reply = this.vlm.ask(image, "Describe the image.");
      return reply[Symbol.asyncIterator]().next();
    });
    await reply;
    return ms;
  }

  async close() {
    await this.vlm?.dispose();
  }
}

/** onnxruntime-web, its CPU build: {model, threads, imageSize}. */
class OnnxRuntimeWeb {
  static async open({ model, threads, imageSize }) {
    ort.env.wasm.wasmPaths = "/peers/onnxruntime-web/dist/";
    ort.env.wasm.numThreads = threads;
    const engine = new OnnxRuntimeWeb();
    engine.size = imageSize;
    engine.session = await ort.InferenceSession.create(model, {
      executionProviders: ["wasm"],
      graphOptimizationLevel: "all",
      freeDimensionOverrides: { height: imageSize, width: imageSize },
    });
    return engine;
  }

  async vision(round) {
    const pixels = Float32Array.from(
      { length: 3 * this.size ** 2 },
      (_, i) => ((i * 31 + round * 17) % 256) / 255,
    );
    const feeds = { pixel_values: new ort.Tensor("float32", pixels, [1, 3, this.size, this.size]) };
    let results;
    const ms = await timed(async () => {
      results = await this.session.run(feeds);
    });
    expect("rows", (this.size / 64) ** 2, results.rows.dims[1]);
    return ms;
  }

  close() {
    return this.session.release();
  }
}

/** wllama: {model, threads, work}. */
class WllamaEngine {
  static async open({ model, threads, work }) {
    const engine = new WllamaEngine();
    engine.threads = threads;
    engine.file = await blobOf(model);
    if (work !== "load") await engine.#load();
    return engine;
  }

  async #load() {
    this.wllama = new Wllama(
      { default: "/peers/@wllama/wllama/esm/wasm/wllama.wasm" },
      { suppressNativeLog: true },
    );
    await this.wllama.loadModel([this.file], {
      n_threads: this.threads,
      n_ctx: CONTEXT,
      n_batch: 512,
      n_gpu_layers: 0,
      n_parallel: 1,
    });
    expect("threads", this.threads, this.wllama.getNumThreads());
  }

  async load() {
    const ms = await timed(() => this.#load());
    await this.wllama.exit();
    this.wllama = null;
    return ms;
  }

  async #text(rows, maxTokens, round) {
    const { timings } = await this.wllama.createCompletion({
      prompt: promptOf(rows, round),
      max_tokens: maxTokens,
      temperature: 0,
      cache_prompt: false,
    });
    expect("rows of the prompt", rows, timings.prompt_n);
    expect("tokens", maxTokens, timings.predicted_n);
    return timings;
  }

  async prefill(round) {
    return (1000 * PREFILL_ROWS) / (await this.#text(PREFILL_ROWS, 1, round)).prompt_ms;
  }

  // The first token comes out of the prompt, as with us.
  async decode(round) {
    return (
      (1000 * DECODE_STEPS) /
      (await this.#text(DECODE_PROMPT_ROWS, DECODE_STEPS + 1, round)).predicted_ms
    );
  }

  async close() {
    await this.wllama?.exit();
  }
}

const classes = { "tiny-vlm": Ours, "onnxruntime-web": OnnxRuntimeWeb, wllama: WllamaEngine };
const engines = new Map();

window.bench = {
  async open(name, engine, options) {
    engines.set(name, await classes[engine].open(options));
  },
  run: (name, method, round) => engines.get(name)[method](round),
  async close() {
    for (const engine of engines.values()) await engine.close();
  },
};
window.isReady = true;
