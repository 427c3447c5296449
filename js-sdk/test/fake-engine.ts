// An engine of a few lines with the functions of the real one, for tests of all that surrounds it.
// Its model file is "FAKE", the length of the whole file in four bytes, and anything. The prompt
// says what it does:
//   "count N"  N words, one a step             "slow"     works for ever, 5 ms a step, a word each
//   "echo"     tells what it was asked         "crash"    traps in mid-work          "exit"  ends
//              its process
//   "fail N"   fails with the code N
// An image is embedded in three steps, as four rows of two numbers, its first and its last byte;
// one whose first byte is 0xcc for ever.
// A custom section "fake" of the wasm file may say "self-test fails" or "no memory".

import type { EngineFactory, EngineModule } from "../src/runtime/module.js";
import { lastReply } from "./last-reply.js";

const withLogprob = (text: string) => ({ text, bytes: [1], logprob: -0.5, top: [] });

interface FakeImage {
  first: number; // its first byte, and its last
  last: number;
  [property: string]: unknown;
}

interface Question {
  messages: { role: string; content: string; images?: number[] }[];
  [option: string]: unknown;
}

const createFake: EngineFactory = async (options) => {
  const { threads, instantiateWasm } = options!;
  const binary = await new Promise<WebAssembly.Module>((resolve) =>
    instantiateWasm({}, (_, module) => resolve(module)),
  );
  const section = WebAssembly.Module.customSections(binary, "fake")[0];
  const behaviour = section ? new TextDecoder().decode(section) : "";
  if (behaviour === "no memory") throw new RangeError("could not allocate memory");

  const { ok, failed, functions } = lastReply();
  let heap = new Uint8Array(1024);
  let received = 0;
  let fileBytes = 0;
  const header = new Uint8Array(8);
  const state = () => (fileBytes === 0 ? 0 : received < fileBytes ? 1 : 2);
  const images = new Map<number, FakeImage>();
  let lastImage = 0;
  let session: object = {};
  let question: Question | undefined;
  let said: string[] = [];
  let done = false;
  let asked: object[] = [];
  // An embedding in place of a question.
  let embedded: FakeImage | undefined;
  let steps = 0;
  const prompt = () => question!.messages.at(-1)!.content;

  const grow = (bytes: number) => {
    // A new memory each time: views taken before must not be used.
    heap.fill(0xee);
    heap = new Uint8Array(1024 + bytes);
    return ok(1024);
  };
  // Reads an image `piece` bytes at a time.
  const add = (bytes: number, piece: number, flags: number, format: object) => {
    if (bytes === 0) return failed(6, "an empty image");
    let first = 0;
    let last = 0;
    for (let offset = 0; offset < bytes; offset += piece) {
      const count = Math.min(piece, bytes - offset);
      const address = grow(count);
      if (module.readImage!(offset, address, count) !== 0)
        return failed(13, "reading the image was ended");
      if (offset === 0) first = heap[address]!;
      last = heap[address + count - 1]!;
    }
    if (first === 0xbb) return failed(6, "a bad image");
    images.set(++lastImage, { bytes, ...format, exact: flags === 1, first, last });
    return ok(lastImage, JSON.stringify({ warnings: [] }));
  };
  const module: EngineModule = {
    get HEAPU8() {
      return heap;
    },
    ...functions,
    selfTest: () =>
      behaviour === "self-test fails" ? failed(10, "2 + 2 wanted 4, found 5") : ok(),
    modelCreate(options) {
      received = fileBytes = 0;
      const asked = (JSON.parse(options) as { threads: number }).threads;
      return asked <= threads ? ok(1) : failed(1, `wanted at most ${threads} threads`);
    },
    modelReserve: (_, bytes) => grow(bytes),
    modelCommit(_, bytes) {
      for (let index = 0; index < bytes && received + index < 8; index++)
        header[received + index] = heap[1024 + index]!;
      received += bytes;
      if (received >= 8 && fileBytes === 0) {
        if (String.fromCharCode(...header.subarray(0, 4)) !== "FAKE")
          return failed(3, "wanted the letters FAKE at byte 0");
        fileBytes = new DataView(header.buffer).getUint32(4);
      }
      return ok(state());
    },
    modelEnd: () =>
      state() === 2
        ? ok()
        : failed(3, `the file is truncated: wanted ${fileBytes} bytes, found ${received}`),
    modelInfo: () =>
      ok(
        0,
        JSON.stringify({
          ...{
            state: state(),
            fileBytes,
            receivedBytes: received,
            name: "fake",
            architecture: "fastvlm",
            imageSize: 8,
            imageTokens: 4,
          },
          ...{ headerBytes: 8, hasTokenizer: true, maxContext: 64, vocabulary: 10, threads },
          ...{ warnings: [] },
        }),
      ),
    modelFree() {},
    sessionCreate(_, options) {
      session = JSON.parse(options) as object;
      return ok(1, JSON.stringify({ imageSize: 8, imageTokens: 4, context: 64, ...session }));
    },
    sessionFree() {
      images.clear();
    },
    addImage: (_, bytes, flags) => add(bytes, 5, flags, { format: "encoded" }),
    addPixels(_, channels, width, height, flags) {
      const format = { format: channels === 4 ? "rgba" : "rgb", width, height };
      return add(width * height * channels, width * channels, flags, format);
    },
    inspectImage(_, bytes) {
      const address = grow(bytes);
      if (module.readImage!(0, address, bytes) !== 0) return failed(13, "reading was ended");
      const head = String.fromCharCode(...heap.subarray(address, address + 4));
      const format = head === "GIF8" ? "GIF" : head === "<svg" ? "SVG" : "PNG";
      return ok(0, JSON.stringify({ format, whole: true, warnings: [] }));
    },
    dropImage(_, image) {
      images.delete(image);
      return ok();
    },
    sessionAsk(_, request) {
      question = JSON.parse(request) as Question;
      if (question.messages.some((message) => message.images?.some((image) => !images.has(image))))
        return failed(1, "not an image of this session");
      asked = question.messages.flatMap((message) =>
        (message.images ?? []).map((image) => images.get(image)!),
      );
      said = [];
      done = false;
      embedded = undefined;
      const code = /^fail (\d+)/.exec(prompt());
      return code ? failed(Number(code[1]), "failed as asked") : ok();
    },
    sessionEmbed(_, image) {
      question = { messages: [] };
      embedded = images.get(image);
      asked = embedded ? [embedded] : [];
      said = [];
      done = false;
      steps = 0;
      return embedded ? ok() : failed(1, "not an image of this session");
    },
    sessionEmbedding(_, rows) {
      if (!done || !embedded) return failed(9, "no embedding is complete");
      const { first, last } = embedded;
      const length = rows ? 1 : Math.hypot(first, last);
      const numbers = Array<number[]>(rows ? 4 : 1).fill([first / length, last / length]);
      const address = grow(numbers.length * 8);
      new Float32Array(heap.buffer, address).set(numbers.flat());
      return ok(address, String(numbers.length * 2));
    },
    sessionAdvance() {
      if (embedded) {
        if (state() !== 2) return ok(2); // waits for weights
        done = ++steps === 3 && embedded.first !== 0xcc;
        return ok(done ? 1 : 0, "");
      }
      const [word, count] = prompt().split(" ");
      if (word === "crash" && said.length === 2) throw new WebAssembly.RuntimeError("unreachable");
      if (word === "exit" && said.length === 2) process.exit(7);
      if (state() !== 2) return ok(2); // waits for weights
      if (word === "slow") for (const end = performance.now() + 5; performance.now() < end;);
      const text =
        word === "echo"
          ? JSON.stringify({ images: asked, held: images.size, session, question })
          : `${said.length} `;
      said.push(text);
      done = word === "echo" || [Number(count), question!["maxTokens"]].includes(said.length);
      return ok(done ? 1 : 0, text);
    },
    sessionReport: () =>
      ok(
        0,
        JSON.stringify({
          text: said.join(""),
          finishReason: done ? "stop" : "cancelled",
          usage: {
            promptTokens: 3,
            imageTokens: 4 * asked.length,
            encodedImages: asked.length,
            reusedTokens: 0,
            completionTokens: said.length,
          },
          timings: {
            decodeImageMs: asked.length,
            preprocessMs: 2,
            visionMs: 3,
            prefillMs: 4,
            decodeMs: 5,
            tokensPerSecond: 6,
          },
          logprobs: question!["logprobs"] === undefined ? undefined : said.map(withLogprob),
        }),
      ),
  };
  return module;
};

export default createFake;

/** A model file for the fake engine. `missing` bytes are cut off its end. */
export function fakeModel(bytes: number, missing = 0): Uint8Array<ArrayBuffer> {
  const file = new Uint8Array(bytes);
  file.set(new TextEncoder().encode("FAKE"));
  new DataView(file.buffer).setUint32(4, bytes);
  return file.slice(0, bytes - missing);
}

/** A wasm file that makes the fake engine behave so. */
export function fakeWasm(behaviour: string): Uint8Array<ArrayBuffer> {
  const text = new TextEncoder().encode(behaviour);
  return Uint8Array.of(
    0,
    97,
    115,
    109,
    1,
    0,
    0,
    0,
    0,
    text.length + 5,
    4,
    ...new TextEncoder().encode("fake"),
    ...text,
  );
}
