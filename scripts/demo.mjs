#!/usr/bin/env node
// npm run demo [-- image "question"]: the demo model answers about a sample image (or one's own) in
// the terminal, words as they are made.
import { readFileSync } from "node:fs";
import { join, relative, resolve } from "node:path";
import { pathToFileURL } from "node:url";
import { buildPackage } from "./build.mjs";
import { root } from "./toolchain.mjs";

const [ownImage, ownQuestion, ...rest] = process.argv.slice(2);
if (rest.length > 0) {
  console.error(
    'demo: wanted an image and a question (in quotes), found more: npm run demo -- image.jpg "What is this?"',
  );
  process.exit(1);
}

function samples() {
  const folder = join(root, "examples-web", "samples");
  const [sample] = JSON.parse(readFileSync(join(folder, "samples.json"), "utf8"));
  return {
    image: join(folder, sample.image),
    about: sample.alt,
    questions: sample.questions.slice(0, 3).map(({ question }) => question),
  };
}

try {
  await buildPackage();
  const { TinyVLM } = await import(pathToFileURL(join(root, "dist", "node.mjs")));
  const { image, about, questions } = ownImage
    ? {
        image: resolve(process.env.INIT_CWD ?? ".", ownImage),
        about: "your image",
        questions: [ownQuestion ?? "Describe the image."],
      }
    : samples();
  const begin = performance.now();
  const vlm = await TinyVLM.load();
  console.log(
    `\nDemo model loaded in ${(performance.now() - begin).toFixed(0)} ms. Image: ${relative(process.cwd(), image)} (${about})\n`,
  );
  try {
    for (const question of questions) {
      process.stdout.write(`  ${question}\n  > `);
      const answer = vlm.ask(image, question);
      for await (const piece of answer) process.stdout.write(piece);
      const { timings, usage, variant, threads } = await answer;
      const words = `first word after ${timings.firstTokenMs.toFixed(0)} ms, ${usage.completionTokens} tokens at ${timings.tokensPerSecond.toFixed(0)}/s`;
      console.log(`\n    (${words}, ${variant}${threads > 1 ? `, ${threads} threads` : ""})\n`);
    }
  } finally {
    await vlm.dispose();
  }
  console.log("The same as a web page: npm run dev");
  if (!ownImage) console.log('Your own image:       npm run demo -- image.jpg "What is this?"');
} catch (error) {
  console.error(`demo: ${error.message}`);
  process.exitCode = error.exitCode ?? 1;
}
