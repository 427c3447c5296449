// Emscripten's module as TypeScript sees it, and how one is made: compile → instantiate → numeric
// self-test.

import { describeReason, TinyVLMError } from "../protocol/errors.js";

/**
 * The functions bound in wasm/bindings.cc, over the C interface (cpp/api/tinyvlm.h says what each
 * does). All are synchronous. Whether one succeeded is asked afterwards. `model` and `session` are
 * addresses of the engine's objects, which nothing checks: runtime/engine.ts alone calls these.
 */
export interface EngineFunctions {
  /** Of the last call: 0 for success, else a code of cpp/base/status.h. */
  lastCode(): number;
  /** Why the last call failed. */
  lastMessage(): string;
  /** What the last call has to say. */
  lastText(): string;
  selfTest(): number;
  /** Returns the model. */
  modelCreate(optionsJson: string): number;
  /** Returns the address where the next `bytes` bytes of the file go. */
  modelReserve(model: number, bytes: number): number;
  /** Returns 0: header incomplete, 1: loading, 2: complete. */
  modelCommit(model: number, bytes: number, verified: boolean): number;
  modelEnd(model: number): number;
  /** Text: a ModelInfo as JSON. */
  modelInfo(model: number): number;
  modelFree(model: number): void;
  /** Returns the session. Text: its settings as JSON. */
  sessionCreate(model: number, optionsJson: string): number;
  sessionFree(session: number): void;
  /**
   * A PNG or JPEG file of `bytes` bytes, read by `readImage`. Returns the image's number. Text: what
   * was wrong with it, as JSON.
   */
  addImage(session: number, bytes: number, flags: number): number;
  /** Looks at an image file, read by `readImage`. Text: an ImageReport as JSON. */
  inspectImage(session: number, bytes: number, flags: number): number;
  /** As addImage for pixels, row by row without gaps. `channels`: 3 (RGB) or 4 (RGBA). */
  addPixels(
    session: number,
    channels: number,
    width: number,
    height: number,
    flags: number,
  ): number;
  dropImage(session: number, image: number): number;
  sessionAsk(session: number, requestJson: string): number;
  sessionEmbed(session: number, image: number): number;
  /**
   * Returns the address of the embedding, or of its rows. Text: how many numbers (f32) lie there.
   */
  sessionEmbedding(session: number, rows: boolean): number;
  /** Returns 0: running, 1: done, 2: waiting for weights, 3: busy. Text: what came. */
  sessionAdvance(session: number, budgetMs: number): number;
  /** Text: an EngineResult as JSON. */
  sessionReport(session: number): number;
}
export interface EngineModule extends EngineFunctions {
  /**
   * The engine's memory. Taken anew after every call: growth replaces it and leaves the old view
   * empty.
   */
  readonly HEAPU8: Uint8Array;
  /**
   * What the functions above that take an image call while they run: writes `bytes` bytes of the
   * image, from `offset` on, to the engine's memory at `address`. Anything but 0 ends them with
   * `aborted`. It must not throw.
   */
  readImage?: ((offset: number, address: number, bytes: number) => number) | undefined;
  /** In the threaded builds: Emscripten's pool. */
  readonly PThread?: { terminateAllThreads(): void };
}

export interface FactoryOptions {
  threads: number;
  /** What pool threads are started from. */
  mainScriptUrlOrBlob: string | Blob;
  instantiateWasm(
    imports: WebAssembly.Imports,
    done: (instance: WebAssembly.Instance, module: WebAssembly.Module) => void,
  ): object;
  /** In the threaded builds: makes the memory that threads share, of so many pages at first. */
  makeMemory(initialPages: number): WebAssembly.Memory;
  print(line: string): void;
  printErr(line: string): void;
  onAbort(reason: unknown): void;
}
/**
 * Without options only in a pool thread, which gets all it needs from the thread that started it.
 */
export type EngineFactory = (options?: FactoryOptions) => Promise<EngineModule>;

/**
 * Thrown where a build cannot run on this machine although its file is fine: the next variant may.
 * `permanent`: another attempt would end the same way.
 */
export class UnfitVariant extends Error {
  readonly permanent: boolean;
  constructor(message: string, permanent: boolean) {
    super(message);
    this.permanent = permanent;
  }
}

/** Likewise where threads did not start in time: no other threaded build's will now. */
export class UnfitThreads extends UnfitVariant {
  constructor(message: string) {
    super(message, false);
  }
}

// Memory that threads share has a maximum from its start on, and room for it is kept free: 4 GB,
// all that 32 bits address, or where a system has no such room (iOS) half of it, down to 256 MB.
const mostPages = 65_536;
const fewestPages = 4096;

function sharedMemory(initial: number): WebAssembly.Memory {
  for (let maximum = mostPages; ; maximum /= 2)
    try {
      return new WebAssembly.Memory({ initial, maximum, shared: true });
    } catch (reason) {
      if (maximum <= fewestPages) throw reason;
    }
}

// Long enough for the slowest phone to start its threads; a page whose policy forbids them would
// wait for ever.
const threadStartMs = 15_000;

export interface ModuleOptions {
  threads: number;
  script: string | Blob;
  /** The engine ended itself in mid-work (a failed check, an unreachable instruction). */
  onAbort(error: TinyVLMError): void;
}

/**
 * Makes a module from `binary`. Throws UnfitVariant where the machine refuses it or the self-test
 * computes wrongly, and `out_of_memory` where its first memory is not to be had.
 */
export async function createModule(
  factory: EngineFactory,
  binary: WebAssembly.Module,
  { threads, script, onAbort }: ModuleOptions,
): Promise<EngineModule> {
  let lastLine = "";
  const module = await new Promise<EngineModule>((resolve, reject) => {
    const timer = setTimeout(
      () => reject(new UnfitThreads(`its threads did not start within ${threadStartMs / 1000} s`)),
      threadStartMs,
    );
    const options: FactoryOptions = {
      threads,
      mainScriptUrlOrBlob: script,
      // By hand, because a rejection inside Emscripten's own way would leave the factory waiting.
      instantiateWasm(imports, done) {
        WebAssembly.instantiate(binary, imports).then((instance) => done(instance, binary), reject);
        return {};
      },
      makeMemory: sharedMemory,
      print: () => {},
      printErr: (line) => {
        lastLine = line;
      },
      onAbort: (reason) => {
        // An allocation of the C++ library that failed ends the engine, without a word in these
        // builds; all that depend on a file's or image's size are checked.
        const said = lastLine || (reason ? describeReason(reason) : "");
        const error =
          said === "" || /bad_alloc|OOM|out of memory/i.test(said)
            ? new TinyVLMError("out_of_memory", "the engine stopped: an allocation found no memory")
            : new TinyVLMError("worker", `the engine stopped: ${said}`);
        reject(error);
        onAbort(error);
      },
    };
    // Through a microtask, so that a factory that throws at once rejects too.
    Promise.resolve()
      .then(() => factory(options))
      .then(resolve, reject)
      .finally(() => clearTimeout(timer));
  }).catch((reason: unknown) => {
    if (reason instanceof RangeError)
      throw new TinyVLMError("out_of_memory", `no memory for the engine: ${reason.message}`, {
        cause: reason,
      });
    throw reason instanceof UnfitVariant ? reason : new UnfitVariant(describeReason(reason), false);
  });
  module.selfTest();
  if (module.lastCode() !== 0) {
    module.PThread?.terminateAllThreads(); // the next build brings its own
    throw new UnfitVariant(`its self-test failed: ${module.lastMessage()}`, true);
  }
  return module;
}

/**
 * Fetches and compiles a wasm file. Errors: `network`, `http`, `invalid_file`, or UnfitVariant
 * where this machine does not compile it.
 */
export async function compileUrl(url: string): Promise<WebAssembly.Module> {
  let response: Response;
  try {
    response = await fetch(url);
  } catch (reason) {
    throw new TinyVLMError("network", `no answer from ${url}: ${describeReason(reason)}`, {
      cause: reason,
      url,
    });
  }
  if (!response.ok) {
    const { status, statusText } = response;
    const message = `wanted the engine at ${url}, the server answered ${status} ${statusText}`;
    throw new TinyVLMError("http", message.trimEnd(), { status, url });
  }
  // Streaming compilation insists on the right type; many servers do not send it.
  if (
    WebAssembly.compileStreaming !== undefined &&
    /^application\/wasm\b/.test(response.headers.get("content-type") ?? "")
  ) {
    return WebAssembly.compileStreaming(response).catch((reason: unknown) => {
      throw compileError(reason, url);
    });
  }
  return compileBytes(new Uint8Array(await response.arrayBuffer()), url);
}

/** Compiles the bytes of a wasm file called `name`. */
export async function compileBytes(
  bytes: Uint8Array<ArrayBuffer>,
  name: string,
): Promise<WebAssembly.Module> {
  const magic = String.fromCharCode(...bytes.subarray(0, 4));
  if (magic !== "\0asm")
    throw new TinyVLMError(
      "invalid_file",
      `wanted a WebAssembly file at ${name}, found something else (${bytes.length} bytes)`,
      { url: name },
    );
  return WebAssembly.compile(bytes).catch((reason: unknown) => {
    throw compileError(reason, name);
  });
}

function compileError(reason: unknown, name: string): Error {
  // A connection that breaks in mid-stream, or a policy that forbids WebAssembly, is no verdict on
  // the build.
  if (
    reason instanceof WebAssembly.CompileError &&
    !/Content.Security.Policy|unsafe-eval/i.test(reason.message)
  )
    return new UnfitVariant(reason.message, true);
  if (reason instanceof WebAssembly.CompileError) {
    const message =
      "the page's content security policy forbids WebAssembly " +
      `(it needs script-src 'wasm-unsafe-eval'): ${reason.message}`;
    return new TinyVLMError("unsupported", message, { cause: reason });
  }
  return new TinyVLMError(
    "network",
    `the engine at ${name} could not be read: ${describeReason(reason)}`,
    { cause: reason, url: name },
  );
}
