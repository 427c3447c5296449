// The built package (dist/) in Node, with the real engine and the demo model: the SDK as ES module
// and CommonJS, and the command line.

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { pathToFileURL } from "node:url";
import type * as Sdk from "../../src/node.js";
import { isThreaded, variants } from "../../src/protocol/values.js";
import { reasonAgainst } from "../../src/runtime/features.js";
import {
  command,
  describe,
  described,
  dist,
  first,
  model,
  options,
  images,
  root,
  samples,
  TinyVLM,
} from "./built-package.js";

const folder = mkdtempSync(join(tmpdir(), "tiny-vlm-package-"));
after(() => rmSync(folder, { recursive: true }));

// What this Node can run, best first.
const fit = variants.filter((variant) => !reasonAgainst(variant, true));

for (const variant of fit) {
  test(
    `${variant}: the demo model answers every question about the sample images as it should`,
    options,
    async () => {
      const vlm = await TinyVLM.load(undefined, { variant, threads: 2 });
      assert.deepEqual([vlm.variant, vlm.threads], [variant, isThreaded(variant) ? 2 : 1]);
      for (const { image, questions } of images) {
        for (const [index, { question, answer }] of questions.entries()) {
          const pieces: string[] = [];
          const stream = vlm.ask(join(samples, image), question);
          for await (const piece of stream) pieces.push(piece);
          const { text, finishReason, usage, timings } = await stream;
          assert.equal(text, answer, `${image}: ${question}`);
          assert.equal(pieces.join(""), text);
          assert.equal(finishReason, "stop");
          // An image that was just seen is not looked at again.
          assert.equal(usage.encodedImages, index === 0 ? 1 : 0);
          assert.equal(usage.imageTokens, vlm.info.imageTokens);
          for (const [name, value] of Object.entries(timings))
            assert(Number.isFinite(value) && value >= 0, `${name} is ${value}`);
        }
      }
      const limit = 1.15 * vlm.info.fileBytes + 64 * 2 ** 20;
      assert(
        (await vlm.memoryBytes()) <= limit,
        `memory: ${await vlm.memoryBytes()} of at most ${limit} bytes`,
      );
      await vlm.dispose();
    },
  );
}

test(
  "without a variant the threaded build runs, and one thread takes the plain one",
  options,
  async () => {
    const threaded = await TinyVLM.load(undefined, { threads: 2 });
    const plain = await TinyVLM.load(undefined, { threads: 1 });
    assert.deepEqual(
      [threaded.variant, plain.variant],
      [fit.find(isThreaded), fit.find((variant) => !isThreaded(variant))],
    );
    const [a, b] = await Promise.all([threaded.ask(first, describe), plain.ask(first, describe)]);
    assert.equal(a.text, b.text);
    await Promise.all([threaded.dispose(), plain.dispose()]);
  },
);

test(
  "every kind of image source gives the same answer; text alone and two images give one",
  options,
  async () => {
    const vlm = await TinyVLM.load(undefined, { threads: 1 });
    const bytes = readFileSync(first);
    const answers = [];
    for (const image of [
      first,
      bytes,
      new Blob([bytes]),
      pathToFileURL(first),
      `data:image/png;base64,${bytes.toString("base64")}`,
    ]) {
      answers.push((await vlm.ask(image, describe)).text);
    }
    assert.deepEqual([...new Set(answers)], [described]);
    assert.equal(
      (
        await vlm.ask(
          { data: new Uint8Array(30 * 20 * 3).fill(90), width: 30, height: 20 },
          describe,
        )
      ).usage.imageTokens,
      vlm.info.imageTokens,
    );
    assert.equal((await vlm.ask(null, "Hello")).usage.imageTokens, 0);
    const two = await vlm.ask([first, join(samples, images[1]!.image)], describe, { maxTokens: 4 });
    // The first of them was seen before.
    assert.deepEqual(
      [two.usage.imageTokens, two.usage.encodedImages],
      [2 * vlm.info.imageTokens, 1],
    );
    await vlm.dispose();
  },
);

test(
  "a chat computes only what is new, and two chats on one model do not mix",
  options,
  async () => {
    const vlm = await TinyVLM.load(undefined, { threads: 1, imageSize: 256, resize: "pad" });
    const chat = vlm.chat();
    const other = vlm.chat({ system: "Be brief." });
    const one = await chat.ask(first, describe);
    assert.deepEqual(
      [one.text, one.usage.encodedImages, one.usage.reusedTokens],
      [described, 1, 0],
    );
    const two = await chat.ask("What colour is the background?");
    assert.equal(two.usage.encodedImages, 0);
    assert.equal(two.usage.imageTokens, vlm.info.imageTokens);
    assert(
      two.usage.reusedTokens >= one.usage.promptTokens,
      `${two.usage.reusedTokens} rows kept of ${one.usage.promptTokens}`,
    );

    const apart = await other.ask(first, describe);
    assert.equal(apart.usage.encodedImages, 0); // known from the other chat
    const three = await chat.ask(join(samples, images[1]!.image), "And here?");
    assert.deepEqual(
      [three.usage.encodedImages, three.usage.imageTokens],
      [1, 2 * vlm.info.imageTokens],
    );
    assert.deepEqual(
      chat.messages.map(({ role, images }) => `${role} ${images}`),
      ["user 1", "assistant 0", "user 0", "assistant 0", "user 1", "assistant 0"],
    );

    // The same conversation from nothing says the same.
    const cold = await TinyVLM.load(undefined, { threads: 1 });
    const again = cold.chat();
    await again.ask(first, describe);
    await again.ask("What colour is the background?");
    const { text } = await again.ask(join(samples, images[1]!.image), "And here?");
    assert.equal(text, three.text);

    // So does one that is given what was said, and it computes none of it again.
    const given = cold.chat({
      messages: [
        { role: "user", content: describe, images: [first] },
        { role: "assistant", content: one.text },
        { role: "user", content: "What colour is the background?" },
        { role: "assistant", content: two.text },
      ],
    });
    const restored = await given.ask(join(samples, images[1]!.image), "And here?");
    assert.equal(restored.text, three.text);
    assert.equal(restored.usage.encodedImages, 0);
    assert(restored.usage.reusedTokens > two.usage.promptTokens, "the prompt was computed again");
    chat.dispose();
    await Promise.all([vlm.dispose(), cold.dispose()]);
  },
);

test("each adapter is imported and required as a subpath of the package", options, () => {
  const names = {
    "ai-sdk": ["tinyVLM"],
    openai: ["openaiFetch", "openaiHandler"],
    "prompt-api": ["installPromptApi", "promptApi"],
  };
  const script = (get: (path: string) => string) =>
    `const told = {};
    for (const name of ${JSON.stringify(Object.keys(names))})
      told[name] = Object.keys(${get('"tiny-vlm/" + name')}).sort();
    process.stdout.write(JSON.stringify(told));`;
  for (const args of [
    ["--input-type=module", "-e", script((path) => `await import(${path})`)],
    ["--input-type=commonjs", "-e", script((path) => `require(${path})`)],
  ]) {
    const { stdout, stderr } = spawnSync(process.execPath, args, { cwd: root, encoding: "utf8" });
    assert.deepEqual(JSON.parse(stdout || "{}"), names, stderr);
  }
});

test("maxTokens, stop, seed and temperature do what they say", options, async () => {
  const vlm = await TinyVLM.load(undefined, { threads: 1 });
  const whole = await vlm.ask(first, describe);
  const short = await vlm.ask(first, describe, { maxTokens: 2 });
  assert.deepEqual([short.finishReason, short.usage.completionTokens], ["length", 2]);
  assert(whole.text.startsWith(short.text));
  const word = whole.text.split(" ").at(-1)!;
  assert.equal(
    (await vlm.ask(first, describe, { stop: word })).text,
    whole.text.slice(0, whole.text.indexOf(word)).trimEnd(),
  );
  const sampled = async (options: Sdk.AskOptions) =>
    (await vlm.ask(first, describe, { maxTokens: 12, ...options })).text;
  const greedy = await sampled({});
  const seven = await sampled({ temperature: 3, seed: 7 });
  assert.equal(await sampled({ temperature: 3, seed: 7 }), seven);
  assert.notEqual(await sampled({ temperature: 3, seed: 8 }), seven);
  assert.notEqual(seven, greedy);
  assert.equal(await sampled({ temperature: 3, seed: 7, topK: 1 }), greedy);
  await vlm.dispose();
});

test(
  "break and signal end the work, and the next question is answered rightly",
  options,
  async () => {
    const vlm = await TinyVLM.load(undefined, { threads: 1 });
    // A high temperature makes a long answer of nonsense; it may still end at once by itself, so
    // several seeds are tried.
    const endless = { temperature: 5, maxTokens: 1500 };
    const reasons: string[] = [];
    for (let seed = 1; seed <= 8 && !reasons.includes("cancelled"); seed++) {
      const stream = vlm.ask(first, describe, { ...endless, seed });
      for await (const _ of stream) break;
      reasons.push((await stream).finishReason);
    }
    assert(reasons.includes("cancelled"), reasons.join());
    const controller = new AbortController();
    const aborted = vlm.ask(first, describe, { ...endless, signal: controller.signal });
    controller.abort();
    await assert.rejects(aborted.then(), { name: "AbortError" });
    assert.equal((await vlm.ask(first, describe)).text, described);
    await vlm.dispose();
  },
);

test(
  "damaged models and images, and questions that do not fit, are typed errors; the model lives on",
  options,
  async () => {
    const bytes = readFileSync(model);
    await assert.rejects(TinyVLM.load(bytes.subarray(0, bytes.length - 1)), {
      code: "invalid_file",
    });
    await assert.rejects(TinyVLM.load(bytes.subarray(0, 100)), { code: "invalid_file" });
    await assert.rejects(TinyVLM.load(new Uint8Array()), { code: "invalid_file" });
    await assert.rejects(TinyVLM.load(readFileSync(first)), { code: "invalid_file" });
    const altered = Buffer.from(bytes);
    altered[altered.length - 1000]! ^= 1;
    await assert.rejects(TinyVLM.load(altered), { code: "invalid_file" });

    const vlm = await TinyVLM.load(undefined, { threads: 1 });
    const image = readFileSync(first);
    await assert.rejects(vlm.ask(image.subarray(0, image.length - 9), "?").then(), {
      code: "invalid_image",
    });
    await assert.rejects(vlm.ask(Buffer.from("GIF89a......"), "?").then(), {
      code: "invalid_image",
    });
    await assert.rejects(vlm.ask([first, new Uint8Array()], "?").then(), { code: "invalid_image" });
    await assert.rejects(vlm.ask(null, "many words ".repeat(3000)).then(), {
      code: "context_full",
    });
    await assert.rejects(vlm.ask(null, "?", { topP: -1 }).then(), { code: "invalid_argument" });
    const answer = await vlm.ask(first, describe);
    assert.equal(answer.text, described);
    // no image of a failed question came along
    assert.equal(answer.usage.imageTokens, vlm.info.imageTokens);
    await vlm.dispose();
  },
);

test("the parts of a file and a stream are models like the file", options, async () => {
  const bytes = readFileSync(model);
  const half = Math.floor(bytes.length / 2);
  const parts = [bytes.subarray(0, half), bytes.subarray(half)].map((part, index) => {
    const path = join(folder, `part-${index}`);
    writeFileSync(path, part);
    return path;
  });
  for (const source of [{ parts }, new Blob([bytes]).stream()]) {
    const vlm = await TinyVLM.load(source, { threads: 1 });
    assert.equal(await vlm.ask(first, describe).then(({ text }) => text), described);
    await vlm.dispose();
  }
});

test("require gives the same", options, async () => {
  const required = createRequire(join(root, "x.js"))(join(dist, "node.cjs")) as typeof Sdk;
  const vlm = await required.TinyVLM.load(undefined, { threads: 1 });
  assert.equal((await vlm.ask(first, describe)).text, described);
  await vlm.dispose();
  await assert.rejects(
    required.TinyVLM.load("nothing"),
    (error) => error instanceof required.TinyVLMError && error.code === "not_found",
  );
});

for (const variant of fit) {
  test(`${variant}: tiny-vlm ask prints the answer, and --json one line of it`, options, () => {
    const words = command("ask", first, describe, "--variant", variant);
    assert.deepEqual(words, { code: 0, out: `${described}\n`, err: "" });
    const json = command(
      "ask",
      "none",
      describe,
      "--image",
      first,
      "--json",
      "--variant",
      variant,
      "--threads",
      "2",
      "--exact-preprocess",
      "--model",
      model,
    );
    assert.deepEqual([json.code, json.err, json.out.split("\n").length], [0, "", 2]);
    const told = JSON.parse(json.out) as Sdk.Answer;
    assert.deepEqual(
      [told.text, told.variant, told.threads],
      [described, variant, isThreaded(variant) ? 2 : 1],
    );
  });

  test(`${variant}: tiny-vlm inspect and its errors`, options, () => {
    const told = command("inspect", model, "--variant", variant);
    assert.deepEqual([told.code, told.err], [0, ""]);
    assert.match(told.out, /fastvlm/);
    const absent = command("inspect", join(folder, "nothing"), "--variant", variant);
    assert.deepEqual([absent.code, absent.out], [2, ""]);
    assert.match(absent.err, /^tiny-vlm: not_found: .*nothing.*\n$/);
  });
}

test(
  "mistakes on the command line are one line, with the exit code of docs/errors.md",
  options,
  () => {
    writeFileSync(join(folder, "cut.gguf"), readFileSync(model).subarray(0, 5000));
    writeFileSync(join(folder, "cut.png"), readFileSync(first).subarray(0, 500));
    const cases: [string[], number, RegExp][] = [
      [["ask", first], 1, /invalid_argument: wanted tiny-vlm ask <image> <question>/],
      [
        ["ask", first, "What?", "--max-token", "3"],
        1,
        /invalid_argument: unknown flag --max-token; did you mean --max-tokens\?/,
      ],
      [
        ["ask", first, "What?", "--max-tokens", "many"],
        1,
        /invalid_argument: --max-tokens wants a number/,
      ],
      [["ask", first, "What?", "--max-tokens", "0"], 1, /invalid_argument/],
      [
        ["ask", first, "What?", "--top-p", "3"],
        1,
        /invalid_argument: wanted a number from 0 to 1 for --top-p, found number 3/,
      ],
      [
        ["ask", first, "What?", "--context", "1000000"],
        1,
        /invalid_argument: --context: 1\.\.\d+ \w+ wanted, 1000000 found/,
      ],
      [
        ["ask", first, "What?", "--variant", "fast"],
        1,
        /invalid_argument: wanted relaxed-mt, simd-mt, relaxed, simd or scalar for --variant/,
      ],
      [
        ["aks", first, "What?"],
        1,
        /invalid_argument: there is no command "aks"; did you mean ask\?/,
      ],
      [["ask", join(folder, "nothing.png"), "What?"], 2, /not_found: no such file/],
      [
        ["ask", first, "What?", "--model", join(folder, "nothing.gguf")],
        2,
        /not_found: no such file/,
      ],
      [["ask", first, "What?", "--model", join(folder, "cut.gguf")], 3, /invalid_file/],
      [["ask", join(folder, "cut.png"), "What?"], 6, /invalid_image/],
      [["ask", first, "many words ".repeat(3000)], 7, /context_full/],
      [["ask", first, "What?", "--model", "/dev/null"], 8, /io: wanted a file/],
      [["ask", first, "What?", "--model", folder], 4, /unsupported: .*a folder of GGUF files/],
      [["ask", first, "What?", "--model", "http://127.0.0.1:1/x"], 11, /network: no answer/],
      [["inspect", model, "--vairant", "simd"], 1, /invalid_argument: unknown flag --vairant/],
      [["convert", folder, "--typ", "f32"], 1, /invalid_argument: unknown flag --typ/],
    ];
    for (const [args, code, message] of cases) {
      const told = command(...args);
      assert.deepEqual([told.code, told.out], [code, ""], `${args[0]}: ${told.err}`);
      assert.match(told.err, /^tiny-vlm: [^\n]*\n$/, "one line");
      assert.match(told.err, message);
    }
  },
);

test("--help explains every command", options, () => {
  for (const args of [
    ["--help"],
    ["ask", "--help"],
    ["convert", "--help"],
    ["fidelity", "--help"],
    ["inspect", "--help"],
    ["trace", "--help"],
  ]) {
    const { code, out, err } = command(...args);
    assert.deepEqual([code, err], [0, ""], args.join(" "));
    assert.match(out, /tiny-vlm/);
  }
});

test("no command at all is a mistake that shows the help", options, () => {
  const { code, out, err } = command();
  assert.deepEqual([code, out], [1, ""]);
  assert.match(err, /tiny-vlm ask +answers a question/);
});

test("no build folder's name stands in a wasm file", options, () => {
  for (const kind of ["wasm", "tools"]) {
    const names = readdirSync(join(dist, kind)).filter((file) => file.endsWith(".wasm"));
    assert.equal(names.length, variants.length);
    for (const name of names)
      assert(!readFileSync(join(dist, kind, name)).includes(root), `${kind}/${name}`);
  }
});

test("npx runs it in the checkout", options, () => {
  const { status, stdout } = spawnSync(
    "npx",
    ["--no-install", "tiny-vlm", "ask", first, describe],
    { encoding: "utf8", cwd: root, timeout: 180_000 },
  );
  assert.deepEqual([status, stdout], [0, `${described}\n`]);
});
