// The command line of the built package with the demo model: pipes, terminals, interruptions,
// exit codes, completion, and the document about it.

import assert from "node:assert/strict";
import { execFileSync, spawnSync } from "node:child_process";
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { after, test } from "node:test";
import { rowFormats, type Row } from "../../src/cli/batch-rows.js";
import { startFaultyServer } from "../faulty-server.mjs";
import { bytesContent } from "../http-answers.mjs";
import {
  describe,
  described,
  dist,
  first,
  images,
  model,
  options,
  root,
  TinyVLM,
} from "./built-package.js";
import { endAll, noTerminal, run, start, startAtTerminal } from "./process.js";

const folder = mkdtempSync(join(tmpdir(), "tiny-vlm-cli-"));
after(() => {
  endAll();
  rmSync(folder, { recursive: true });
});

const atTerminal = noTerminal && !options.skip ? { skip: noTerminal } : options;
// Long answers of nonsense, slowly: there is time to interrupt them. The scalar build takes seconds
// for an image.
const rambling = ["--variant", "scalar", "--temperature", "5", "--max-tokens", "1500"];

test("ask reads an image from stdin, once", options, async () => {
  const input = readFileSync(first);
  assert.deepEqual(await run(["ask", "-", describe], { input }), {
    ...{ code: 0, out: `${described}\n`, err: "" },
  });
  const second = await run(["ask", "none", describe, "--image", "-"], { input });
  assert.equal(second.out, `${described}\n`);
  const twice = await run(["ask", "-", describe, "--image", "-"], { input });
  assert.deepEqual([twice.code, twice.out], [1, ""]);
  assert.match(twice.err, /invalid_argument: wanted stdin \(-\) for one image/);
  const nothing = await run(["ask", "-", describe]);
  assert.deepEqual([nothing.code, nothing.out], [6, ""]);
  assert.match(nothing.err, /invalid_image: wanted an image on stdin for "-", found no bytes/);
});

test("wrong arguments of every command are one sentence that names them", options, async () => {
  const output = join(folder, "answers.txt");
  const cases: [string[], RegExp][] = [
    [["ask", "", "What?"], /wanted an image for <image>, found an empty text/],
    [["ask", first, ""], /wanted a text for <question>, found an empty one/],
    [["ask", first, "What?", "--image", ""], /wanted an image for --image, found an empty text/],
    [["ask", first, "What?", "--then", ""], /--then wants a value, found an empty text/],
    [["ask", first, "What?", "--model", ""], /--model wants a value, found an empty text/],
    [["ask", "What?", first], /wanted the image before the question, found the question "What\?"/],
    [["ask", first, "What?", "--variant", "smd"], /found "smd"; did you mean simd\?/],
    [["ask", first, "What?", "--model", "--json"], /--model wants a value, found the flag --json/],
    [["chat", "", "--json"], /wanted an image for \[image\], found an empty text/],
    [["chat", "--sistem", "x"], /unknown flag --sistem; did you mean --system\?/],
    [["batch", folder], /batch wants --question QUESTION, found none/],
    [["embed"], /embed wants <images>: .*found none/],
    [["embed", first, "--max-tokens", "5"], /unknown flag --max-tokens/],
    [["batch", "--question", "What?"], /batch wants <images>: .*found none/],
    [["batch", first, "--question", ""], /--question wants a value, found an empty text/],
    [["batch", first, "--question", "Q", "-o", output], /ends in \.jsonl or \.csv.*answers\.txt"/],
    [["batch", first, "--question", "Q", "--format", "cvs"], /found "cvs"; did you mean csv\?/],
    [["batch", first, "--question", "Q", "--retry"], /--retry wants --output FILE, found none/],
    [["batch", first, "--question", "Q", "--top-p", "2"], /from 0 to 1 for --top-p, found/],
    [["pull"], /pull wants one <source>, found none/],
    [["pull", "a", "b"], /pull wants one <source>, found "a" "b"/],
    [["pull", "a", "--type", "q4"], /wanted f32, .* for --type, found "q4"/],
    [["cache", "lst"], /for the action of cache, found "lst"; did you mean list\?/],
    [["cache", "delete"], /cache delete wants one address, found none/],
    [["cache", "clear", "x"], /cache clear wants no address, found "x"/],
    [["completion"], /completion wants one of bash, zsh, fish, found none/],
    [["completion", "bsh"], /found "bsh"; did you mean bash\?/],
    [["inspect", model, "--variant", "smd"], /for --variant, found "smd"; did you mean simd\?/],
    [["inspect", model, "--variant"], /--variant wants a value, found the end of the line/],
    [["--json", "ask"], /wanted a command before any flag, found --json/],
    [["btch"], /there is no command "btch"; did you mean batch\?/],
  ];
  for (const [args, message] of cases) {
    const { code, out, err } = await run(args);
    assert.deepEqual([code, out], [1, ""], `${args.join(" ")}: ${err}`);
    assert.match(err, /^tiny-vlm: invalid_argument: [^\n]*\n$/);
    assert.match(err, message);
  }
  assert(!existsSync(output));
});

test("a reader that closes the pipe is no error", options, () => {
  const line = `"$0" "$1" ask "$2" "$3" | true; echo "\${PIPESTATUS[0]}"`;
  const args = ["-c", line, process.execPath, join(dist, "cli.mjs"), first, describe];
  const { stdout, stderr } = spawnSync("bash", args, { encoding: "utf8" });
  assert.deepEqual([stdout, stderr], ["0\n", ""]);
});

test("FORCE_COLOR and NO_COLOR decide about colours", options, async () => {
  const forced = await run(["nothing"], { env: { FORCE_COLOR: "1" } });
  assert.match(forced.err, /^\x1b\[31mtiny-vlm:\x1b\[39m invalid_argument/);
  const help = await run(["ask", "--help"], { env: { FORCE_COLOR: "1" } });
  assert.match(help.out, /^\x1b\[1mtiny-vlm ask/);
  assert.match((await run(["nothing"])).err, /^tiny-vlm: /);
});

test("--version, help and <command> --help", options, async () => {
  const { version } = JSON.parse(readFileSync(join(root, "package.json"), "utf8"));
  assert.deepEqual(await run(["--version"]), { code: 0, out: `tiny-vlm ${version}\n`, err: "" });
  for (const command of ["ask", "convert"]) {
    const asked = await run(["help", command]);
    assert.deepEqual(asked, await run([command, "--help"]));
    assert.match(asked.out, /\nExamples:\n[^]*\nExit codes:\n/);
  }
  assert.match((await run(["batch", "-h"])).out, /^tiny-vlm batch <images>/);
});

test("docs/command-line.md says what the help says", options, () => {
  const script = join(root, "scripts", "command-line-docs.mjs");
  const { status, stderr } = spawnSync(process.execPath, [script, "--check"], { encoding: "utf8" });
  assert.deepEqual([status, stderr], [0, ""]);
});

test(
  "warnings go to stderr, and a download is quiet where that is no terminal",
  options,
  async () => {
    const server = await startFaultyServer({ files: { model: bytesContent(readFileSync(model)) } });
    try {
      const { code, out, err } = await run(
        ["ask", first, describe, "--model", server.url("model")],
        {
          env: { TINYVLM_CACHE: "/dev/null/nowhere" },
        },
      );
      assert.deepEqual([code, out], [0, `${described}\n`]);
      assert.match(err, /^tiny-vlm: [^\n]*\n$/);
    } finally {
      await server.close();
    }
  },
);

test(
  "a download shows its progress at a terminal; pull and cache tell JSON",
  atTerminal,
  async () => {
    const server = await startFaultyServer({ files: { model: bytesContent(readFileSync(model)) } });
    const env = { TINYVLM_CACHE: join(folder, "cache") };
    try {
      server.plan("model", [{ name: "slow-drip", ms: 200 }]);
      const url = server.url("model");
      const asked = startAtTerminal(["ask", first, describe, "--model", url], { env });
      const { code, out } = await asked.end();
      assert.equal(code, 0);
      assert.match(out, /\r\x1b\[Kmodel: \d+\.\d MB of \d+\.\d MB/);
      assert.match(out, new RegExp(`\\r\\x1b\\[K${described}\\r\\n`));

      const pulled = await run(["pull", url, "--yes", "--json"], { env });
      assert.deepEqual([pulled.code, pulled.err], [0, ""]);
      const told = JSON.parse(pulled.out);
      assert.deepEqual(
        [told.source, told.fileBytes, told.folder],
        [url, readFileSync(model).length, env.TINYVLM_CACHE],
      );
      const tell = async (...args: string[]) => {
        const { code, out, err } = await run(["cache", ...args, "--json"], { env });
        assert.deepEqual([code, err], [0, ""]);
        return JSON.parse(out);
      };
      assert.deepEqual(
        (await tell("list")).map((each: { url: string }) => each.url),
        [url],
      );
      assert.deepEqual(await tell("folder"), { folder: env.TINYVLM_CACHE });
      assert.deepEqual(await tell("delete", url), { deleted: 1 });
      assert.equal((await run(["cache", "delete", url], { env })).code, 2);
      assert.deepEqual(await tell("clear"), { deleted: 0 });
    } finally {
      await server.close();
    }
  },
);

test("Ctrl-C ends ask with 130 and without an error", options, async () => {
  const asked = start(["ask", first, describe, ...rambling]);
  await asked.until(() => asked.out !== "");
  asked.process.kill("SIGINT");
  const { code, err } = await asked.end();
  assert.deepEqual([code, err], [130, ""]);
});

test("defects of an image that is answered about are warnings on stderr", options, async () => {
  const cut = join(folder, "cut.jpg");
  const whole = readFileSync(join(root, "examples-web", "samples", "sample-2-1024.jpg"));
  writeFileSync(cut, whole.subarray(0, whole.length - 2));
  const { code, out, err } = await run(["ask", cut, describe]);
  assert.deepEqual([code, out.length > 1], [0, true]);
  assert.match(err, /^tiny-vlm: JPEG: [^\n]*end marker[^\n]*\n$/);
  const batch = await run(["batch", cut, "--question", describe]);
  assert.match(
    batch.err,
    /^tiny-vlm: .*cut\.jpg: JPEG: .*end marker.*\n1 image: 1 answered, 0 failed\n$/,
  );
});

test("Ctrl-C ends a chat that waits for the next line of a pipe with 130", options, async () => {
  const chat = start(["chat", first]);
  chat.type(`${describe}\n`);
  await chat.says(`${described}\n`);
  chat.process.kill("SIGINT");
  assert.deepEqual(await chat.end(), { code: 130, out: `${described}\n`, err: "" });
});

test(
  "chat answers the lines of a pipe, in one conversation, and nothing else",
  options,
  async () => {
    const saved = join(folder, "talk.json");
    const input = `${describe}\n\n/save ${saved}\r\n/system Be brief.\n//x\n`;
    const { code, out, err } = await run(["chat", first, "--json"], { input });
    assert.deepEqual([code, err], [0, ""]);
    const answers = out
      .trimEnd()
      .split("\n")
      .map((line) => JSON.parse(line));
    assert.equal(answers.length, 2);
    assert.equal(answers[0].text, described);
    assert.deepEqual(
      answers.map(({ usage }) => usage.imageTokens > 0),
      [true, false],
    );
    assert.deepEqual(JSON.parse(readFileSync(saved, "utf8")), {
      messages: [
        { role: "user", content: describe, images: [first] },
        { role: "assistant", content: described, images: [] },
      ],
    });
    const words = await run(["chat"], {
      input: `/image ${first}\n${describe}\n/history\n/quit\nNo`,
    });
    assert.equal(
      words.out,
      `${described}\n[image: ${first}]\nYou: ${describe}\n\nAnswer: ${described}\n`,
    );
  },
);

test("the first error ends a chat from a pipe", options, async () => {
  const taken = join(folder, "taken.txt");
  writeFileSync(taken, "mine");
  const cases: [string, number, RegExp][] = [
    ["/imag x", 1, /there is no command \/imag; did you mean \/image\?/],
    ["/image", 1, /\/image wants <path or URL>, found nothing/],
    ["/reset all", 1, /\/reset takes no argument, found "all"/],
    [`/save ${taken}`, 1, /wanted a new file for \/save, found that .*taken\.txt is there/],
    [`/image ${folder}`, 1, /wanted an image, found the folder/],
    [`/image ${folder}/gone.png`, 2, /not_found: no such file/],
    [`/image ${taken}\nWhat?`, 6, /invalid_image/],
  ];
  for (const [input, wanted, message] of cases) {
    const { code, out, err } = await run(["chat"], { input: `${input}\nWhat?\n` });
    assert.deepEqual([code, out], [wanted, ""], err);
    assert.match(err, /^tiny-vlm: [^\n]*\n$/);
    assert.match(err, message);
  }
  assert.equal(readFileSync(taken, "utf8"), "mine");
});

test("chat at a terminal: editing, history, mistakes that do not end it", atTerminal, async () => {
  const chat = startAtTerminal(["chat", first]);
  let from = 0;
  /** Types where the prompt is, and waits for what follows and the next prompt. */
  const say = async (text: string, answer: string) => {
    await chat.says("> ", from);
    from = chat.out.length;
    chat.type(text);
    await chat.says(answer, from);
    from = chat.out.indexOf(answer, from) + answer.length;
  };
  await say(`${describe.slice(0, -1)}x\x7f${describe.at(-1)}\r`, described); // x is rubbed out
  await say("/image gone.png\r", "not_found: no such file: gone.png");
  await say("\x1b[A\x1b[A\r", "tokens at"); // two lines back
  await say("/hel\t", "/help ");
  chat.type("\r");
  await chat.says("/quit  ", from);
  from = chat.out.indexOf("/quit  ", from);
  await say("half a question\x03/history\r", "Answer: ");
  await chat.says("> ", from);
  assert.equal(chat.out.split(`You: ${describe}`).length - 1, 2); // asked twice
  chat.type("\x04");
  assert.equal((await chat.end()).code, 0);
});

test(
  "Ctrl-C stops an answer, a second one leaves; at an empty prompt it asks first",
  atTerminal,
  async () => {
    // Nonsense may end by itself at once, so several seeds are tried.
    for (let seed = 1; ; seed++) {
      const chat = startAtTerminal(["chat", first, ...rambling, "--seed", String(seed)]);
      await chat.says("> ");
      chat.type(`${describe}\r`);
      await chat.says(`${describe}\r\r\n`);
      const from = chat.out.length;
      await chat.until(() => chat.out.length > from);
      chat.type("\x03");
      await chat.says("> ", from);
      const isStopped = chat.out.includes("stopped, first word", from);
      if (!isStopped && seed < 8) {
        chat.process.kill();
        await chat.end();
        continue;
      }
      assert(isStopped, chat.out);
      chat.type("\x03");
      assert.equal((await chat.end()).code, 130);
      break;
    }
    const chat = startAtTerminal(["chat"]);
    await chat.says("> ");
    chat.type("\x03");
    await chat.says("Ctrl-C once more");
    chat.type("\x03");
    assert.equal((await chat.end()).code, 130);
  },
);

// ---- batch --------------------------------------------------------------------

/** A folder with `count` images, of which the second is damaged where asked for. */
function imageFolder(name: string, count: number, { isOneDamaged = false } = {}): string {
  const path = join(folder, name);
  mkdirSync(path);
  for (let index = 0; index < count; index++) {
    const { image } = images[index % images.length]!;
    copyFileSync(join(root, "examples-web", "samples", image), join(path, `${10 + index}.png`));
  }
  if (isOneDamaged) writeFileSync(join(path, "11.png"), "no image");
  return path;
}

const rowsOf = (path: string): Row[] => {
  const { rows, whole } = rowFormats[path.endsWith("csv") ? "csv" : "jsonl"].read(
    readFileSync(path, "utf8"),
    path,
  );
  assert.equal(whole, readFileSync(path, "utf8"), "only whole rows");
  return rows;
};

for (const format of ["jsonl", "csv"])
  test(
    `batch: a row for each image, errors among them; a second run asks nothing (${format})`,
    options,
    async () => {
      const from = imageFolder(`some-${format}`, 3, { isOneDamaged: true });
      const output = join(folder, `some.${format}`);
      const args = ["batch", from, join(from, "gone.png"), "--question", describe, "-o", output];
      const began = await run(args);
      assert.deepEqual([began.code, began.out], [100, ""]);
      assert.match(began.err, /^tiny-vlm: .*11\.png: invalid_image: /);
      assert.match(began.err, /\n4 images: 2 answered, 2 failed\n$/);
      const rows = rowsOf(output);
      assert.deepEqual(
        rows.map(({ image, error }) => [basename(image), error?.split(":")[0] ?? null]),
        [
          ["10.png", null],
          ["11.png", "invalid_image"],
          ["12.png", null],
          ["gone.png", "not_found"],
        ],
      );
      assert.equal(rows[0]!.answer, described);
      assert.equal(rows[0]!.finishReason, "stop");
      assert(rows[0]!.tokens! > 0 && rows[0]!.ms! > 0);
      assert.deepEqual([rows[1]!.answer, rows[1]!.tokens, rows[1]!.ms], [null, null, null]);

      const text = readFileSync(output, "utf8");
      const again = await run([...args, "--model", join(folder, "no-model-is-loaded")]);
      assert.equal(again.code, 100);
      assert.equal(again.err, "4 images: 2 answered, 2 failed; 4 had a row before\n");
      assert.equal(readFileSync(output, "utf8"), text);

      copyFileSync(first, join(from, "11.png"));
      const retried = await run([...args, "--retry"]);
      assert.equal(retried.code, 100);
      assert.match(retried.err, /4 images: 3 answered, 1 failed; 2 had a row before\n$/);
      assert.equal(rowsOf(output).length, 4);

      const other = await run([...args.slice(0, 2), "--question", "Other?", "-o", output]);
      assert.equal(other.code, 0);
      assert.equal(rowsOf(output).length, 7);
      assert.equal((await run([...args, "--overwrite"])).code, 100);
      assert.equal(rowsOf(output).length, 4);
    },
  );

for (const [how, signal] of [
  ["killed", "SIGKILL"],
  ["interrupted by Ctrl-C", "SIGINT"],
] as const)
  test(`batch: ${how} it leaves whole rows, and goes on where it was`, options, async () => {
    const from = imageFolder(signal, 12);
    const output = join(folder, `${signal}.jsonl`);
    // Without threads it takes longer, so that there is time.
    const args = ["batch", from, "--question", describe, "-o", output, "--threads", "1"];
    const cut = start([...args, "--variant", "scalar"]);
    await cut.until(() => existsSync(output) && readFileSync(output).includes("\n"));
    cut.process.kill(signal);
    const { code, err } = await cut.end();
    assert.equal(code, signal === "SIGINT" ? 130 : null);
    if (signal === "SIGINT") assert.match(err, /interrupted: \d+ of 12 images have their row/);
    const before = rowsOf(output);
    assert(before.length > 0 && before.length < 12, `${before.length} rows`);
    const rest = await run(args);
    assert.deepEqual([rest.code, rest.out], [0, ""]);
    const rows = rowsOf(output);
    assert.deepEqual(rows.slice(0, before.length), before);
    assert.deepEqual(
      rows.map(({ image }) => basename(image)),
      Array.from({ length: 12 }, (_, index) => `${10 + index}.png`),
    );
  });

test("batch: rows go to stdout, patterns are matched, CSV on demand", options, async () => {
  const from = imageFolder("pattern", 2);
  const asked = await run(
    ["batch", "pattern/1*.{png,jpg}", "--question", describe, "--format", "csv"],
    { cwd: folder },
  );
  assert.equal(asked.code, 0);
  const { rows } = rowFormats.csv.read(asked.out, "stdout");
  assert.deepEqual(
    rows.map(({ image, answer }) => [image, answer !== ""]),
    [
      ["pattern/10.png", true],
      ["pattern/11.png", true],
    ],
  );
  const none = await run(["batch", join(from, "*.gif"), "--question", describe]);
  assert.deepEqual([none.code, none.out], [2, ""]);
});

test("embed: a line of JSON for each image, errors among them", options, async () => {
  const from = imageFolder("vectors", 3, { isOneDamaged: true });
  const embedded = await run(["embed", from, join(from, "gone.png")]);
  assert.equal(embedded.code, 100);
  assert.match(embedded.err, /^tiny-vlm: .*11\.png: invalid_image: .*\n.*gone\.png: not_found: /);
  const lines = embedded.out
    .trimEnd()
    .split("\n")
    .map((line) => JSON.parse(line) as { image: string; vector: number[]; error: string | null });
  assert.deepEqual(
    lines.map(({ image, vector, error }) => [basename(image), vector?.length, error?.slice(0, 9)]),
    [
      ["10.png", lines[0]!.vector.length, undefined],
      ["11.png", undefined, "invalid_i"],
      ["12.png", lines[0]!.vector.length, undefined],
      ["gone.png", undefined, "not_found"],
    ],
  );
  // Read again, the numbers are those of the SDK.
  const vlm = await TinyVLM.load(undefined, { threads: 1 });
  const { vector } = await vlm.embed(join(from, "10.png"));
  await vlm.dispose();
  assert.deepEqual(Float32Array.from(lines[0]!.vector), vector);
});

test("batch shows at a terminal how far it is", atTerminal, async () => {
  const from = imageFolder("shown", 3);
  const asked = startAtTerminal(["batch", from, "--question", describe, "-o", `${from}.csv`]);
  const { code, out } = await asked.end();
  assert.equal(code, 0);
  assert.match(out, /\r\x1b\[K2 of 3, \d+ s left: /);
  assert.match(out, /\r\x1b\[K3 images: 3 answered, 0 failed\r\n$/);
});

// ---- completion ---------------------------------------------------------------

test("bash completes commands, flags, values and files by the script", options, async () => {
  const script = join(folder, "completion.bash");
  const { code, out } = await run(["completion", "bash"]);
  assert.equal(code, 0);
  writeFileSync(script, out);
  writeFileSync(join(folder, "two words.png"), "");
  const proposals = (...words: string[]): string[] =>
    execFileSync(
      "bash",
      [
        "-c",
        'source "$0"; COMP_WORDS=("$@"); COMP_CWORD=$(($#-1)); COMPREPLY=(); _tiny_vlm; ' +
          'printf "%s\\n" "${COMPREPLY[@]}"',
        ...[script, "tiny-vlm", ...words],
      ],
      { encoding: "utf8", cwd: folder },
    )
      .trimEnd()
      .split("\n");
  assert.deepEqual(proposals("ca"), ["cache"]);
  assert.deepEqual(proposals("ask", "--max"), ["--max-tokens"]);
  assert.deepEqual(proposals("ask", "--variant", "si"), ["simd-mt", "simd"]);
  assert.deepEqual(proposals("ask", "--variant", "=", "sc"), ["scalar"]);
  assert.deepEqual(proposals("ask", "two"), ["two words.png"]);
  assert.deepEqual(proposals("ask", "--seed", ""), [""]);
  assert.deepEqual(proposals("batch", "x", "--format", ""), ["jsonl", "csv"]);
  assert.deepEqual(proposals("cache", ""), ["list", "delete", "clear", "folder"]);
  // Flags of the tools, which their help tells.
  assert.deepEqual(proposals("convert", "--packing", ""), ["none", "panel16"]);
  assert.deepEqual(proposals("inspect", "--ver"), ["--verify"]);
});

test("zsh and fish get a script that names every command and flag", options, async () => {
  const help = (await run(["batch", "--help"])).out;
  const flags = [...help.matchAll(/^  (?:-\w, )?--([a-z-]+)/gm)].map(([, flag]) => flag!);
  assert(flags.length > 20);
  const zsh = (await run(["completion", "zsh"])).out;
  const fish = (await run(["completion", "fish"])).out;
  for (const flag of flags) {
    assert(zsh.includes(`'*--${flag}[`), flag);
    assert(fish.includes(`__fish_seen_subcommand_from batch' -l ${flag} `), flag);
  }
  for (const command of ["ask", "chat", "batch", "pull", "cache", "convert", "completion"]) {
    assert(zsh.includes(`    ${command}) _arguments`), command);
    assert(fish.includes(`-n __fish_use_subcommand -a ${command} `), command);
  }
});
