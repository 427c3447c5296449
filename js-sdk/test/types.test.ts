// The public types, used as people use them. The compiler is the test (npm run check). What must
// not compile is in types/.

import { test } from "node:test";
import type {
  Answer,
  AnswerStream,
  Chat,
  Embedding,
  ImageInput,
  ModelSource,
  TinyVLM as NodeTinyVLM,
} from "../src/node.js";
import { TinyVLMError, type TinyVLM } from "../src/index.js";

export async function usage(
  Class: typeof TinyVLM,
  canvas: HTMLCanvasElement,
  video: HTMLVideoElement,
  frame: VideoFrame,
  bitmap: ImageBitmap,
  pixels: ImageData,
): Promise<void> {
  const vlm: TinyVLM = await Class.load("https://example.com/model.gguf", {
    onProgress: ({ phase, loadedBytes, totalBytes }) =>
      void [phase satisfies "engine" | "weights" | "ready", loadedBytes / totalBytes],
    signal: AbortSignal.timeout(1000),
    threads: 2,
    variant: "simd",
    wasmUrl: { simd: "a.wasm" },
    workerUrl: new URL("https://example.com/worker.mjs"),
    context: 4096,
    imageSize: 512,
    resize: "crop",
    chatStyle: "v1",
    compute: "f32",
  });
  const body = new ReadableStream<Uint8Array>();
  const sources: ModelSource[] = [body, { parts: ["a.gguf", new URL("https://example.com/b")] }];
  for (const source of sources) await Class.load(source);
  const images: ImageInput[] = [
    "a.png",
    new URL("https://example.com/a.png"),
    new Blob(),
    new ArrayBuffer(1),
    new Uint8Array(1),
    canvas,
    video,
    frame,
    bitmap,
    pixels,
  ];
  images.push(new OffscreenCanvas(1, 1), new Image(), {
    data: new Uint8Array(3),
    width: 1,
    height: 1,
  });
  const stream: AnswerStream = vlm.ask(images, "What is this?", {
    maxTokens: 5,
    stop: ["\n"],
    abortSignal: AbortSignal.timeout(1),
  });
  for await (const text of stream) text satisfies string;
  const answer: Answer = await stream;
  answer.finishReason satisfies "stop" | "length" | "cancelled";
  void [answer.usage.encodedImages + answer.timings.firstTokenMs, answer.threads];
  await vlm.ask(null, "Hello").finally(() => {});
  await vlm.ask(null, "How many?", { responseFormat: { schema: { type: "integer" } } });
  await vlm.ask(null, "Which?", { responseFormat: { choices: ["a", "b"] as const } });
  await vlm.ask(null, "When?", { responseFormat: { pattern: "\\d{2}:\\d{2}" } });
  const chat: Chat = vlm.chat({ system: "Be brief." });
  await chat.ask(canvas, "What is this?", { maxTokens: 5 });
  for await (const text of chat.ask("And its colour?", { seed: 1 })) text satisfies string;
  chat.messages.map(({ role, content, images }) => [
    role satisfies "system" | "user" | "assistant",
    content,
    images,
  ]);
  // @ts-expect-error a chat is made by vlm.chat
  new Chat();
  chat.dispose();
  for (const image of images) {
    const { vector, rows, width, timings }: Embedding = await vlm.embed(image, { rows: true });
    void [vector satisfies Float32Array, rows satisfies Float32Array | undefined];
    void (width + timings.visionMs);
  }
  await vlm.embed(canvas, { signal: AbortSignal.timeout(1), exactPreprocess: true, strict: true });
  await vlm[Symbol.asyncDispose]();

  const source: ModelSource = await fetch("https://example.com/model.gguf");
  await Class.load(source).catch((error: unknown) => {
    if (error instanceof TinyVLMError && error.code === "http") return error.status;
    // @ts-expect-error not a code
    return error instanceof TinyVLMError && error.code === "teapot";
  });
}

export const sameShape = (Class: typeof NodeTinyVLM): Pick<typeof TinyVLM, "load"> => Class;

test("the types compile", () => {});
