#!/usr/bin/env node
// npm run demo [-- image "question"]: the demo model answers about a sample image (or one's own) in
// the terminal, words as they are made. It runs natively: the command line of cpp/cli is what takes
// least time to build from nothing, and needs neither Emscripten nor node modules.
import { spawn } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { join, relative, resolve } from "node:path";
import { buildPreset } from "./build.mjs";
import { setUp } from "./setup.mjs";
import { step } from "./setup/steps.mjs";
import { root } from "./toolchain.mjs";

const model = join(root, "model", "tiny-vlm-demo.gguf");
const program = join(root, "build", "release", "cpp", "cli", "tiny-vlm");

const [ownImage, ownQuestion, ...rest] = process.argv.slice(2);
if (rest.length > 0) {
  console.error(
    "demo: wanted an image and a question (in quotes), found more: " +
      'npm run demo -- image.jpg "What is this?"',
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

async function build() {
  if (!existsSync(program))
    console.log(
      "The native command line is built first, once: about 5 minutes of processor time.\n",
    );
  await setUp(["tools", "engine-sources"]);
  await step("native command line", () => buildPreset("release", ["tiny-vlm"], { tests: false }));
}

/** Asks one question; passes pieces of the answer on as they come. Resolves to times in ms. */
function ask(image, question, onPiece) {
  return new Promise((done, failed) => {
    const begin = performance.now();
    let firstWord,
      errors = "";
    const child = spawn(program, ["ask", image, question, "--model", model]);
    child.stdout.setEncoding("utf8");
    child.stdout.on("data", (piece) => {
      firstWord ??= performance.now() - begin;
      onPiece(piece);
    });
    child.stderr.setEncoding("utf8");
    child.stderr.on("data", (text) => (errors += text));
    child.on("error", failed);
    child.on("close", (status) => {
      if (status === 0) done({ firstWord, total: performance.now() - begin });
      else failed(new Error(errors.trim() || `tiny-vlm ended with exit code ${status}`));
    });
  });
}

try {
  await build();
  const { image, about, questions } = ownImage
    ? {
        image: resolve(process.env.INIT_CWD ?? ".", ownImage),
        about: "your image",
        questions: [ownQuestion ?? "Describe the image."],
      }
    : samples();
  console.log(`\nImage: ${relative(process.cwd(), image)} (${about})\n`);
  for (const question of questions) {
    process.stdout.write(`  ${question}\n  > `);
    let words = "";
    const { firstWord, total } = await ask(image, question, (piece) => {
      words += piece;
      process.stdout.write(piece.replace(/\n$/, ""));
    });
    const count = words.trim().split(/\s+/).length;
    const answered = `${count} ${count === 1 ? "word" : "words"} in ${total.toFixed(0)} ms`;
    console.log(
      `\n    (first word after ${firstWord.toFixed(0)} ms, loading included; ${answered})\n`,
    );
  }
  console.log("The same as a web page: npm run dev");
  if (!ownImage) console.log('Your own image:       npm run demo -- image.jpg "What is this?"');
} catch (error) {
  console.error(`demo: ${error.message}`);
  process.exitCode = error.exitCode ?? 1;
}
