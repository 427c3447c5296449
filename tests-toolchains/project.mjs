// A project as a user has it: an empty folder with the packed package and one toolchain installed,
// built for production, then opened in Chromium or run.
import { spawn, spawnSync } from "node:child_process";
import {
  cpSync,
  mkdirSync,
  readFileSync,
  readdirSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { createServer } from "node:net";
import { dirname, extname, join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { startServer } from "../scripts/server.mjs";
import { root, samplePath, samples } from "../tests-browser/harness.mjs";

const [{ image, questions }] = samples;
/** The image that every project asks about, what it asks, and the answer of Node. */
export const sample = samplePath(image);
export const { question, answer } = questions[0];

const versions = JSON.parse(readFileSync(join(root, "tests-toolchains", "versions.json"), "utf8"));
const work = join(root, "build", "toolchains");
const buildLimitMs = 300_000;
const answerLimitMs = 90_000;

let packed;

/** The packed package, made anew once a run. */
export function packedFile() {
  if (packed) return packed;
  mkdirSync(work, { recursive: true });
  const { stdout, status, stderr } = spawnSync(
    "npm",
    ["pack", "--json", "--pack-destination", work],
    { cwd: root, encoding: "utf8" },
  );
  if (status !== 0) throw new Error(`npm pack: ${stderr}`);
  packed = join(work, JSON.parse(stdout)[0].filename);
  return packed;
}

/** How a package of the table is asked of npm: its name with the pinned version. */
function pinned(name) {
  if (!versions[name]) throw new Error(`${name} has no version in tests-toolchains/versions.json`);
  return `${name.replace(/(?<=.)@.*/, "")}@${versions[name]}`;
}

/** The versions of the packages in `uses`, in words. */
export const versionsOf = (uses) =>
  uses.map((name) => `${name.replace(/(?<=.)@.*/, "")} ${versions[name]}`).join(", ");

/**
 * Makes the folder of a project and installs what it uses; its path. `folder`: its name, below
 * build/toolchains or in the absolute folder that it is.
 */
export function makeProject({ folder, uses, files, packageJson = {} }) {
  const path = folder.startsWith("/") ? folder : join(work, folder);
  rmSync(path, { recursive: true, force: true });
  mkdirSync(path, { recursive: true });
  // Bundlers take the next tsconfig.json above a project: not the repository's, whose paths lead to
  // the sources.
  writeFileSync(join(work, "tsconfig.json"), "{}");
  const about = { name: "app", private: true, type: "module", ...packageJson };
  writeFileSync(join(path, "package.json"), JSON.stringify(about));
  for (const [name, text] of Object.entries(files)) {
    mkdirSync(dirname(join(path, name)), { recursive: true });
    writeFileSync(join(path, name), text);
  }
  cpSync(sample, join(path, "sample.png"));
  run(path, ["npm", "install", "--no-audit", "--no-fund", "--prefer-offline", packedFile()]);
  if (uses.length > 0)
    run(path, [
      ...["npm", "install", "--no-audit", "--no-fund", "--prefer-offline", "--save-dev"],
      ...uses.map(pinned),
    ]);
  return path;
}

const environment = (path) => ({
  ...process.env,
  PATH: `${join(path, "node_modules", ".bin")}:${process.env.PATH}`,
  NEXT_TELEMETRY_DISABLED: "1",
  NO_COLOR: "1",
  DENO_DIR: join(work, "deno-cache"),
  DENO_NO_UPDATE_CHECK: "1",
  NODE_OPTIONS: "",
});

/** Runs a command in a project; its output. Throws, with the output's end, where it fails. */
export function run(path, [program, ...args], { mayFail = false, timeout = buildLimitMs } = {}) {
  const { status, stdout, stderr, error } = spawnSync(program, args, {
    cwd: path,
    env: environment(path),
    encoding: "utf8",
    timeout,
    maxBuffer: 1 << 28,
  });
  const output = `${stdout}${stderr}`;
  if ((error || status !== 0) && !mayFail)
    throw new Error(`${program} ${args.join(" ")}: ${error?.message ?? output.slice(-1500)}`);
  return output;
}

/** Bytes of the files below `folder`, by kind; files of names in `without` are left out. */
export function shippedBytes(folder, without = []) {
  const bytes = { js: 0, wasm: 0, gguf: 0 };
  const kinds = { ".js": "js", ".mjs": "js", ".cjs": "js", ".wasm": "wasm", ".gguf": "gguf" };
  for (const name of readdirSync(folder, { recursive: true })) {
    const kind = kinds[extname(name)];
    const path = join(folder, name);
    if (kind && !without.some((part) => name.includes(part)) && statSync(path).isFile())
      bytes[kind] += statSync(path).size;
  }
  return bytes;
}

/** A static server of `folder`, with the sample image at /sample.png. Options as startServer's. */
export function serveFolder(folder, options = {}) {
  return startServer({
    mounts: { "/": folder },
    ...options,
    routes: {
      "/sample.png": (_request, response) =>
        response.writeHead(200, { "Content-Type": "image/png" }).end(readFileSync(sample)),
      "/favicon.ico": (_request, response) => response.writeHead(204).end(),
      ...options.routes,
    },
  });
}

async function freePort() {
  const server = createServer();
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address();
  await new Promise((resolve) => server.close(resolve));
  return port;
}

/** Starts a server program of a toolchain; `command(port)` is what starts it. */
export async function startProgram(path, command, environmentToo = () => ({})) {
  const port = await freePort();
  const [program, ...args] = command(String(port));
  const child = spawn(program, args, {
    cwd: path,
    env: { ...environment(path), ...environmentToo(String(port)) },
    detached: true,
    stdio: ["ignore", "pipe", "pipe"],
  });
  let output = "";
  for (const stream of [child.stdout, child.stderr])
    stream.on("data", (bytes) => (output += bytes));
  let ended = false;
  child.on("exit", () => (ended = true));
  const close = async () => {
    if (!ended) process.kill(-child.pid, "SIGTERM"); // the group of this one child
    for (let tries = 0; !ended && tries < 50; tries++) await sleep(100);
    if (!ended) process.kill(-child.pid, "SIGKILL");
  };
  const url = `http://localhost:${port}`;
  for (let tries = 0; tries < 300; tries++) {
    const answered = await fetch(url).catch(() => undefined);
    if (answered) return { url, close };
    if (ended) break;
    await sleep(200);
  }
  await close();
  throw new Error(`${program} ${args.join(" ")} does not serve: ${output.slice(-1500)}`);
}

/** What a page that ran `pageScript` found: { text, variant, ms } or { error }. */
export async function askInPage(browser, url) {
  const context = await browser.newContext();
  try {
    const page = await context.newPage();
    const errors = [];
    page.on("pageerror", (error) => errors.push(error.message));
    await page.goto(url, { timeout: answerLimitMs });
    try {
      await page.waitForFunction(() => globalThis.found, undefined, { timeout: answerLimitMs });
    } catch (error) {
      return { error: errors.join("; ") || error.message.split("\n")[0] };
    }
    return await page.evaluate(() => globalThis.found);
  } finally {
    await context.close();
  }
}

/**
 * A page's script that asks the question and leaves what it found in `found`. `source` and
 * `options` are JavaScript; `imports` its first lines.
 */
export function pageScript({
  imports = `import { TinyVLM } from "tiny-vlm";\nimport { demoModel } from "tiny-vlm/demo-model";\n`,
  source = "demoModel",
  options = "{}",
  before = "",
} = {}) {
  return `${imports}${before}
const began = performance.now();
TinyVLM.load(${source}, ${options})
  .then(async (vlm) => {
    const { text } = await vlm.ask("/sample.png", ${JSON.stringify(question)});
    globalThis.found = { text, variant: vlm.variant, ms: performance.now() - began };
    await vlm.dispose();
  })
  .catch((error) => {
    globalThis.found = {
      error: \`\${error.name} \${error.code}: \${error.message}\`,
      ms: performance.now() - began,
    };
  });
`;
}

/** The same for Node and its like: prints what it found as a line of JSON. */
export function programScript({
  imports = `import { TinyVLM } from "tiny-vlm";\n`,
  source = "undefined",
  options = "{}",
} = {}) {
  return `${imports}
const began = performance.now();
(async () => {
  try {
    const vlm = await TinyVLM.load(${source}, ${options});
    const { text } = await vlm.ask("sample.png", ${JSON.stringify(question)});
    const ms = performance.now() - began;
    console.log("found " + JSON.stringify({ text, variant: vlm.variant, ms }));
    await vlm.dispose();
  } catch (error) {
    const ms = performance.now() - began;
    const sentence = \`\${error.name} \${error.code}: \${error.message}\`;
    console.log("found " + JSON.stringify({ error: sentence, ms }));
  }
})();
`;
}

/** Runs a command whose program is a `programScript`; what it found. */
export function askInProgram(path, command, options) {
  const output = run(path, command, { mayFail: true, timeout: answerLimitMs, ...options });
  const line = /^found (.*)$/m.exec(output);
  return line ? JSON.parse(line[1]) : { error: output.trim().slice(-600) || "no output" };
}

export const indexHtml = (script) =>
  `<!doctype html><meta charset="utf-8"><title>app</title>` +
  `<script type="module" src="${script}"></script>\n`;
