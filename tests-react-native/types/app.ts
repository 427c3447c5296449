// What an app may write, and what not: compiled with React Native's own types, without those of a
// page.
import {
  TinyVLM,
  TinyVLMError,
  useTinyVLM,
  type Answer,
  type AnswerStream,
  type AskOptions,
  type Chat,
  type ErrorCode,
  type ImageInput,
  type LoadedModel,
  type LoadOptions,
  type LoadProgress,
  type ModelInfo,
  type ModelSource,
  type PastMessage,
  type TokenLogprob,
} from "react-native-tiny-vlm";

type Same<A, B> =
  (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false;
const same = <_ extends true>() => {};

export async function loads(signal: AbortSignal): Promise<TinyVLM> {
  const options: LoadOptions = {
    signal,
    threads: 2,
    context: 1024,
    imageSize: 256,
    resize: "pad",
    compute: "fast",
    headers: { authorization: "Bearer x" },
    onProgress: ({ phase, loadedBytes, totalBytes, secondsLeft }) => {
      same<Same<typeof phase, "engine" | "download" | "weights" | "ready">>();
      same<Same<typeof secondsLeft, number | undefined>>();
      console.log(phase, loadedBytes / totalBytes);
    },
  };
  const sources: ModelSource[] = ["asset:fastvlm.gguf", new URL("https://example.org/a.gguf")];
  // @ts-expect-error a number is no source
  await TinyVLM.load(7);
  // @ts-expect-error there is no demo model here
  await TinyVLM.load();
  // @ts-expect-error an option of the web
  await TinyVLM.load("asset:a", { wasmUrl: "/" });
  // @ts-expect-error not a way to resize
  await TinyVLM.load("asset:a", { resize: "stretch" });
  const deleted: boolean = await TinyVLM.cache.delete("hf:owner/repository/model.gguf");
  console.log(deleted);
  return TinyVLM.load(sources[0]!, options);
}

export async function asks(vlm: TinyVLM, photo: { uri: string; width: number }): Promise<Answer> {
  const images: ImageInput[] = [
    photo.uri,
    photo,
    new Uint8Array(1),
    new ArrayBuffer(1),
    { data: new Uint8Array(4), width: 1, height: 1 },
  ];
  const options: AskOptions = {
    maxTokens: 20,
    responseFormat: { schema: { type: "object" } },
    logprobs: 2,
  };
  const stream: AnswerStream = vlm.ask(images, "What is this?", options);
  for await (const piece of stream) same<Same<typeof piece, string>>();
  stream.cancel();
  vlm.ask(null, "A joke?").catch((error: unknown) => {
    if (error instanceof TinyVLMError) same<Same<typeof error.code, ErrorCode>>();
  });
  // @ts-expect-error the question is missing
  vlm.ask(photo);
  // @ts-expect-error the option is topP
  vlm.ask(photo, "?", { top_p: 1 });
  const answer = await stream;
  const logprobs: TokenLogprob[] | undefined = answer.logprobs;
  same<Same<typeof answer.finishReason, "stop" | "length" | "cancelled">>();
  console.log(answer.text.length + answer.threads + answer.timings.firstTokenMs, logprobs);
  // @ts-expect-error a phone has one build of the engine
  console.log(answer.variant);
  return answer;
}

export async function chats(vlm: TinyVLM, photo: string): Promise<void> {
  const chat: Chat = vlm.chat({ system: "Be short." });
  await chat.ask(photo, "What is this?", { maxTokens: 5 });
  const { text } = await chat.ask("And its colour?");
  for (const { role, content, images } of chat.messages)
    console.log(role, content, images + text.length);
  chat.dispose();
  const messages: PastMessage[] = [
    { role: "user", content: "And this?", images: [{ uri: photo }] },
    { role: "assistant", content: text },
  ];
  vlm.chat({ messages });
  // @ts-expect-error the system text is an option of its own
  vlm.chat({ messages: [{ role: "system", content: "Be short." }] });
  const info: ModelInfo = vlm.info;
  same<Same<typeof info.context, number>>();
  const bytes: number = await vlm.memoryBytes();
  console.log(info.name, bytes);
  await vlm.dispose();
}

export function hooks(): void {
  const { status, progress, model, text, ask, stop, error } = useTinyVLM("asset:fastvlm.gguf", {
    enabled: false,
    context: 512,
  });
  same<Same<typeof status, "idle" | "loading" | "ready" | "failed">>();
  same<Same<NonNullable<typeof progress>, LoadProgress>>();
  same<Same<NonNullable<typeof model>, LoadedModel>>();
  void ask({ uri: "file:///a.jpg" }, "?").then((answer) => console.log(answer?.text, text));
  stop();
  console.log(error?.code);
  // @ts-expect-error a source is wanted
  useTinyVLM();
  // @ts-expect-error the hook has its own signal
  useTinyVLM("asset:a", { signal: new AbortController().signal });
}
