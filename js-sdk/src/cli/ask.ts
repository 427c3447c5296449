// tiny-vlm ask

import type { Parsed, SdkCommand } from "./command.js";
import { showAnswer } from "./answer.js";
import { loadingOutcomes } from "./exit-codes.js";
import { textOf, wrongArgument } from "./flags.js";
import { checkOrder, imagesOf } from "./images.js";
import { interruption } from "./interrupt.js";
import { askOptions, loadModel, modelFlags, namingFlags } from "./model-flags.js";
import { StatusLine } from "./terminal.js";

export const ask: SdkCommand = {
  name: "ask",
  summary: "answers a question about images, word by word",
  usage: "<image> <question> [flags]",
  about: [
    "Answers one question. Words go to stdout as they are made. Warnings go to stderr; where that " +
      "is a terminal, so does the progress of a download, and how long the answer took.",
  ],
  wordsHelp: {
    "<image>": 'A path or URL of a PNG or JPEG; "-": from stdin; "none": asks without an image.',
    "<question>": "One word of the shell: put it in quotes.",
  },
  words: "files",
  flags: {
    "--image": {
      kind: "texts",
      value: "FILE",
      help: "One more image, after <image>. May be repeated.",
    },
    "--then": {
      kind: "texts",
      value: "QUESTION",
      help: "A further question of the same conversation. May be repeated.",
    },
    "--json": {
      kind: "switch",
      help: "Each answer as one line of JSON, with its tokens and timings, instead of the words.",
    },
    ...modelFlags,
  },
  examples: [
    ['tiny-vlm ask photo.jpg "What is on the table?"', "The answer, word by word."],
    [
      'cat photo.png | tiny-vlm ask - "How many apples?" --json',
      "An image from a pipe, the answer as JSON.",
    ],
    [
      'tiny-vlm ask old.png "What changed?" --image new.png --then "Where?"',
      "Two images, and a second question about them.",
    ],
  ],
  outcomes: [...loadingOutcomes, "invalid_image", "context_full"],
  run,
};

async function run(parsed: Parsed): Promise<void> {
  const { image, question } = imageAndQuestion(parsed);
  const more = parsed.texts.get("--image") ?? [];
  const further = parsed.texts.get("--then") ?? [];
  textOf(parsed, "--then");
  // A conversation has one system prompt.
  const { system, ...options } = askOptions(parsed);
  const images = await imagesOf([
    ...(image === "none" ? [] : [["<image>", image] as const]),
    ...more.map((text) => ["--image", text] as const),
  ]);
  const signal = interruption();
  const vlm = await loadModel(parsed, signal, new StatusLine());
  try {
    const chat = vlm.chat({ system });
    const isJson = parsed.switches.has("--json");
    await namingFlags(async () => {
      // The first question is about the images; those of --then follow in the same conversation.
      await showAnswer(
        chat.ask(images.length > 0 ? images : null, question, { ...options, signal }),
        isJson,
      );
      for (const next of further) await showAnswer(chat.ask(next, { ...options, signal }), isJson);
    });
  } finally {
    await vlm.dispose();
  }
}

function imageAndQuestion({ positionals }: Parsed): { image: string; question: string } {
  const [image, question] = positionals;
  if (positionals.length !== 2 || image === undefined || question === undefined) {
    const found = positionals.map((word) => JSON.stringify(word)).join(" ") || "nothing";
    throw wrongArgument(
      `wanted tiny-vlm ask <image> <question>, found ${found} ` +
        '(a question of several words needs quotes; the image "none" asks without one)',
    );
  }
  if (question === "") throw wrongArgument("wanted a text for <question>, found an empty one");
  checkOrder(image, question);
  return { image, question };
}
