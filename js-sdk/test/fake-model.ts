// A model without an engine, for tests of the adapters: it tells what it was asked and says what
// the test gives it to say.

import type { AnsweringModel } from "../src/adapters/model.js";
import { AnswerStream } from "../src/api/stream.js";
import type { Answer, AskOptions, ChatOptions, ImageInput } from "../src/api/types.js";
import { abortedError } from "../src/protocol/errors.js";

/** One question that the model was asked. */
export interface Asked extends ChatOptions {
  images: readonly ImageInput[];
  question: string;
  options: AskOptions;
  /** Whether the answer was cancelled, and whether the conversation was forgotten. */
  cancelled: boolean;
  disposed: boolean;
}

/** What it says: pieces of text, and what the Answer has beside them. */
export interface Script {
  pieces: AsyncIterable<string> | Iterable<string>;
  answer?: object;
}

/** A model that answers each question as `script` says; `asked` has the questions. */
export function fakeModel(script: (asked: Asked) => Script): {
  model: AnsweringModel;
  asked: Asked[];
} {
  const asked: Asked[] = [];
  const ask = (
    chat: ChatOptions,
    images: readonly ImageInput[] | null,
    question: string,
    options: AskOptions,
  ) => {
    const one: Asked = {
      ...{ ...chat, images: images ?? [], question, options },
      ...{ cancelled: false, disposed: false },
    };
    asked.push(one);
    const stream = new AnswerStream(
      (emit) => answer(one, emit),
      () => {
        one.cancelled = true;
      },
    );
    return { one, stream };
  };
  const answer = async (one: Asked, emit: (piece: string) => void): Promise<Answer> => {
    const { pieces, answer: more } = script(one);
    let text = "";
    for await (const piece of pieces) {
      const { signal } = one.options;
      if (signal?.aborted) throw abortedError("the question", signal);
      if (one.cancelled) break;
      text += piece;
      emit(piece);
    }
    return {
      text,
      finishReason: one.cancelled ? "cancelled" : "stop",
      usage: {
        promptTokens: 20,
        imageTokens: 4 * one.images.length,
        encodedImages: one.images.length,
        reusedTokens: 5,
        completionTokens: 3,
      },
      timings: {},
      variant: "simd",
      threads: 1,
      ...more,
    } as Answer;
  };
  const model = {
    info: { name: "fake", context: 64, imageTokens: 4 },
    variant: "simd",
    chat(options: ChatOptions = {}) {
      let last: Asked | undefined;
      return {
        ask(images: readonly ImageInput[] | null, question: string, given: AskOptions) {
          const { one, stream } = ask(options, images, question, given);
          last = one;
          return stream;
        },
        dispose() {
          if (last) last.disposed = true;
        },
      };
    },
  };
  return { model: model as unknown as AnsweringModel, asked };
}
