// The worker's handlers for the calls of protocol/messages.ts: start an engine, load a model into
// it, ask, embed.

import { abortedError, asTinyVLMError, TinyVLMError } from "../protocol/errors.js";
import type { Handlers } from "../protocol/dispatcher.js";
import type { ModelSink } from "../loader/model-file.js";
import { openModel } from "../loader/open-model.js";
import { Arrivals } from "./arrivals.js";
import { withIds, type DrawRequest, type ImageArgs } from "../protocol/messages.js";
import { isThreaded } from "../protocol/values.js";
import type * as Checkpoint from "../checkpoint.js";
import { Engine } from "../runtime/engine.js";
import { chooseEngine, type Factories } from "../runtime/variants.js";
import { prepareImage, type ImageSetting } from "./images.js";
import { Drawings } from "./drawings.js";
import type { WorkerPlatform } from "./platform.js";

// The engine works in steps of this length; a cancel is seen between two of them. Short enough for
// a quick cancel, long enough that the yield in between costs nothing.
const stepMs = 20;

// Where nobody has asked for so long after a load, the engine is warmed up for the first question;
// one that comes sooner warms it up itself.
const idleBeforeWarmUpMs = 50;
const warmUpMs = 60;

// Ends a load of which only the header is wanted.
const headerIsWhole = Symbol("headerIsWhole");

/** Makes the handlers of one worker. `onDeath` is called when the engine has crashed. */
export function createHandlers(
  factories: Factories,
  platform: WorkerPlatform,
  onDeath: (error: TinyVLMError) => void,
): Handlers {
  let engine: Engine | undefined;
  const started = (): Engine => {
    if (!engine) throw new TinyVLMError("not_ready", "the engine has not been started");
    return engine;
  };

  const arrivals = new Arrivals();
  const drawings = new Drawings();
  let warmUpTimer: ReturnType<typeof setTimeout> | undefined;

  // Adds the images of a call, has the engine begin its work on them, and works until it is done or
  // the call is cancelled. Tells of the images those that are kept and what was wrong with them.
  const work = async (
    { images, exactPreprocess, strict }: ImageArgs,
    keepImages: boolean,
    { emit, signal }: { emit: (event: DrawRequest) => void; signal: AbortSignal },
    onText: (text: string) => void,
    begin: (imageIds: number[]) => void,
  ) => {
    clearTimeout(warmUpTimer);
    const session = started();
    const begun = arrivals.begun;
    const setting: ImageSetting = {
      exact: exactPreprocess,
      signal,
      platform,
      inspect: (bytes, read) => session.inspectImage(bytes, strict, read),
      draw: (file, svg) => drawings.ask(file, svg, emit, signal),
    };
    const prepared = await Promise.all(images.map((image) => prepareImage(image, setting)));
    if (signal.aborted) throw abortedError("the question", signal);
    arrivals.check(begun);
    let decodeImageMs = 0;
    const imageIds: number[] = [];
    const warnings: string[] = [];
    let hasBegun = false;
    try {
      for (const image of prepared) {
        const options = { ...image.format, exact: exactPreprocess, strict };
        const added = session.addImage(image.bytes, options, image.read);
        imageIds.push(added.id);
        const of = prepared.length > 1 ? `image ${imageIds.length}: ` : "";
        for (const warning of [...image.warnings, ...added.warnings]) warnings.push(of + warning);
        image.release();
        decodeImageMs += image.decodeMs;
      }
      begin(imageIds);
      hasBegun = true;
    } finally {
      for (const image of prepared) image.release();
      if (!hasBegun || !keepImages) for (const id of imageIds.splice(0)) session.dropImage(id);
    }
    for (let done = false; !done && !signal.aborted;) {
      arrivals.check(begun);
      const { state, text } = session.advance(stepMs);
      if (text) onText(text);
      done = state === "done";
      if (state === "waiting") await arrivals.wait(signal);
      else await platform.yieldToMessages();
    }
    const result = session.result();
    result.timings.decodeImageMs += decodeImageMs;
    return { imageIds, warnings, ...result };
  };

  return {
    async start({ variants, wasmUrls, threads, script }) {
      const compile = (variant: (typeof variants)[number]) => platform.compile(wasmUrls[variant]);
      const options = { threads, script: script ?? platform.script, onAbort: onDeath };
      const { chosen, rejected } = await chooseEngine(
        variants,
        factories,
        compile,
        platform.inNode,
        options,
      );
      if (!chosen) return { started: undefined, rejected };
      const { variant, module } = chosen;
      engine = new Engine(module, onDeath);
      return { started: { variant, threads: isThreaded(variant) ? threads : 1 }, rejected };
    },

    async load(
      { sources, split, checkpoint, delivery, threads, session, early, headerOnly },
      { emit, signal },
    ) {
      clearTimeout(warmUpTimer);
      const model = started();
      let hasSession = false;
      const sink: ModelSink = {
        begin() {
          arrivals.restart();
          hasSession = false;
          model.createModel(threads);
        },
        append(bytes, verified) {
          const state = model.appendToModel(bytes, verified);
          if (!hasSession && state !== "header") {
            // Also where nobody asks before the end: memory that is missing is missed now, before
            // the weights are fetched.
            model.createSession(session);
            hasSession = true;
            if (headerOnly) throw headerIsWhole;
            if (early) emit({ askable: model.modelInfo() });
          }
          arrivals.more();
          return state;
        },
        place: (ahead, bytes) => model.placeInModel(ahead, bytes),
        takePlaced(bytes) {
          model.takePlacedInModel(bytes);
          arrivals.more();
        },
        layout: () => model.modelLayout(),
        end: () => model.endModel(),
      };
      try {
        if (checkpoint) {
          const { loader, script, wasm } = checkpoint.converter;
          const { loadConverter, openCheckpoint } = (await import(loader)) as typeof Checkpoint;
          const converter = async () => loadConverter(script, await platform.compile(wasm));
          await openCheckpoint(checkpoint, delivery, sink, platform, converter, emit, signal);
        } else {
          const open = split
            ? ((await import(split)) as typeof Checkpoint).openSplitFile
            : openModel;
          const load = (cacheKey: string | undefined) =>
            open(sources, { ...delivery, cacheKey }, sink, platform, emit, signal);
          const { cacheKey } = delivery;
          // A header is not worth waiting for somebody who downloads the file into the cache.
          if (headerOnly)
            await load(undefined).catch((reason: unknown) => {
              if (reason === headerIsWhole || cacheKey === undefined) throw reason;
              return load(cacheKey);
            });
          else await load(cacheKey);
        }
      } catch (reason) {
        if (reason === headerIsWhole) return model.modelInfo();
        arrivals.fail(asTinyVLMError(reason));
        throw reason;
      }
      const info = model.modelInfo();
      if (!early && info.hasTokenizer)
        warmUpTimer = setTimeout(() => model.warmUp(warmUpMs), idleBeforeWarmUpMs);
      return info;
    },

    async ask(args, context) {
      const { messages, sampling, keepImages } = args;
      return work(args, keepImages, context, context.emit, (imageIds) =>
        started().ask(withIds(messages, imageIds), sampling),
      );
    },

    async embed(args, context) {
      const session = started();
      const noText = () => {};
      const { warnings, timings } = await work(args, false, context, noText, ([image]) =>
        session.embed(image!),
      );
      if (context.signal.aborted) throw abortedError("the embedding", context.signal);
      const vector = session.embedding(false);
      return { vector, warnings, timings, ...(args.rows && { rows: session.embedding(true) }) };
    },

    async drawn({ drawing, image }) {
      drawings.end(drawing, image);
      return null;
    },

    async forget({ imageIds }) {
      for (const id of imageIds) started().dropImage(id);
      return null;
    },

    async memory() {
      return started().memoryBytes;
    },
  };
}
