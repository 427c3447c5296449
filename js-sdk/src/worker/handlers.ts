// The worker's answers to the calls of protocol/messages.ts: start an engine, load a model into it, ask.

import { abortedError, TinyVLMError } from "../protocol/errors.js";
import type { Handlers } from "../protocol/dispatcher.js";
import { openSource } from "../loader/source.js";
import { Engine } from "../runtime/engine.js";
import { chooseEngine, type Factories } from "../runtime/variants.js";
import { preparePicture } from "./pictures.js";
import type { WorkerPlatform } from "./platform.js";

// A cancel is seen between two of these. Short enough to add little to the first word, long enough that the yield in between costs nothing.
const stepMs = 20;

const progressEveryMs = 50;

// What loading may cost more so that the first question is answered sooner.
const warmUpMs = 60;

/** `onDeath` is told when the engine is beyond use. */
export function createHandlers(factories: Factories, platform: WorkerPlatform, onDeath: (error: TinyVLMError) => void): Handlers {
  let engine: Engine | undefined;
  const started = (): Engine => {
    if (!engine) throw new TinyVLMError("not_ready", "the engine has not been started");
    return engine;
  };

  return {
    async start({ variants, wasmUrls, threads, script }) {
      const compile = (variant: (typeof variants)[number]) => platform.compile(wasmUrls[variant]);
      const options = { threads, script: script ?? platform.script, onAbort: onDeath };
      const { variant, module, rejected } = await chooseEngine(variants, factories, compile, platform.inNode, options);
      engine = new Engine(module, onDeath);
      return { variant, threads: variant === "simd-mt" ? threads : 1, rejected };
    },

    async load({ source, threads, context, compute }, { emit, signal }) {
      const model = started();
      model.createModel(threads);
      const opened = await openSource(source, signal, platform.openPath);
      let loadedBytes = 0;
      let totalBytes = opened.size;
      let lastProgress = 0;
      emit({ loadedBytes, totalBytes });
      for await (const chunk of opened.chunks) {
        if (loadedBytes === 0) refuseWebPage(chunk, opened.name);
        model.appendToModel(chunk);
        loadedBytes += chunk.length;
        totalBytes ||= model.modelInfo().fileBytes;
        const now = performance.now();
        if (now - lastProgress < progressEveryMs) continue;
        lastProgress = now;
        emit({ loadedBytes, totalBytes });
      }
      model.endModel();
      if (model.modelInfo().hasTokenizer) model.warmUp({ context, compute }, warmUpMs);
      model.createSession({ context, compute });
      emit({ loadedBytes, totalBytes: loadedBytes });
      return model.modelInfo();
    },

    async ask({ pictures, exactPreprocess, prompt, sampling }, { emit, signal }) {
      const session = started();
      const prepared = await Promise.all(pictures.map((picture) => preparePicture(picture, exactPreprocess, signal, platform.openPath)));
      if (signal.aborted) throw abortedError("the question", signal);
      let decodeImageMs = 0;
      let preprocessMs = 0;
      // From here to `ask` nothing is awaited: the engine keeps added pictures for the next question, so no cancel may come between.
      try {
        for (const picture of prepared) {
          const added = session.addPicture(picture.bytes, { ...picture.format, exact: exactPreprocess }, picture.write);
          decodeImageMs += picture.decodeMs + added.decodeMs;
          preprocessMs += added.preprocessMs;
        }
      } catch (error) {
        session.dropPictures();
        throw error;
      }
      session.ask(prompt, sampling);
      for (let done = false; !done && !signal.aborted; ) {
        const step = session.advance(stepMs);
        if (step.text) emit(step.text);
        done = step.done;
        await platform.yieldToMessages();
      }
      const { text, finishReason, usage, timings } = session.result();
      return { text, finishReason, usage, timings: { ...timings, decodeImageMs, preprocessMs } };
    },

    async memory() {
      return started().memoryBytes;
    },
  };
}

// Servers that send a page for every unknown address do not always call it text/html.
function refuseWebPage(firstChunk: Uint8Array, name: string): void {
  const start = String.fromCharCode(...firstChunk.subarray(0, 64)).trimStart();
  if (/^(<!doctype html|<html|<\?xml)/i.test(start)) throw new TinyVLMError("invalid_file", `wanted a model at ${name}, found a web page: "${start.slice(0, 24)}…"`);
}
