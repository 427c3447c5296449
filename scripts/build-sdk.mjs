#!/usr/bin/env node
// Builds dist/, the npm package, from js-sdk/ and the wasm builds. `--test` builds and runs the
// unit tests instead, which need no wasm: their workers contain js-sdk/test/fake-engine.ts.
// `--integration` runs the tests of the built package. `--debug` makes a package of the wasm-debug
// build (docs/debugging.md).
import { spawnSync } from "node:child_process";
import {
  chmodSync,
  cpSync,
  existsSync,
  mkdirSync,
  readFileSync,
  readdirSync,
  renameSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";
import { minify as minifyFurther } from "terser";
import { wasmModules, wasmVariants as variants } from "./build.mjs";
import { adapters, emitDeclarations } from "./declarations.mjs";
import { relaxedNode } from "./setup/relaxed-node.mjs";
import { thirdPartyNotices } from "./third-party.mjs";
import { sourceName } from "../tools/symbolize-wasm.mjs";

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const source = join(root, "js-sdk", "src");
const tests = join(root, "js-sdk", "test");
const dist = join(root, "dist");
const unfinished = join(root, "build", "package");
const testOutput = join(root, "build", "sdk-test");
const testCache = join(root, "build", "test-cache");
const demoModel = join(root, "model", "tiny-vlm-demo.gguf");

// The oldest browsers with module workers, which the package needs.
const browsers = ["chrome91", "firefox114", "safari15"];

// The URL of the running script, where import.meta.url does not exist or must be hidden: a worker
// has to be a classic script and a module at once, because some bundlers drop `type: "module"`, and
// bundlers would look for the file of Emscripten's `new URL("tiny-vlm.wasm", import.meta.url)`.
const scriptUrl = {
  worker: "const scriptUrl=globalThis.location.href;",
  nodeCjs:
    'const {pathToFileURL:urlOfPath}=require("node:url"),' +
    "scriptUrl=urlOfPath(__filename).href;",
  browserCjs:
    'const scriptUrl=typeof document==="object"' +
    "?document.currentScript?.src||document.baseURI:undefined;",
  iife: "(()=>{const scriptUrl=document.currentScript?.src||document.baseURI;",
};

/** The options of what Node gets by `require`. */
const nodeCommonJs = {
  platform: "node",
  format: "cjs",
  banner: scriptUrl.nodeCjs,
  minify: false,
};

/** The options that all outputs share. `banner` declares scriptUrl in place of import.meta.url. */
function output(
  entry,
  outfile,
  { format = "esm", platform = "browser", banner, footer, plugins = [], minify = true },
) {
  return {
    entryPoints: [entry],
    outfile,
    bundle: true,
    minify,
    format,
    platform,
    target: platform === "node" ? ["node20"] : browsers,
    charset: "utf8",
    legalComments: "none",
    logLevel: "warning",
    external: ["sharp"],
    ...(banner ? { define: { "import.meta.url": "scriptUrl" }, banner: { js: banner } } : {}),
    ...(footer ? { footer: { js: footer } } : {}),
    plugins,
  };
}

// How Emscripten's glue asks whether it runs in Node. Web Workers of Electron, Deno and Bun have a
// `process`, too: which of our workers contains the glue decides instead.
const asksForNode = /\bvar ENVIRONMENT_IS_NODE\s*=[^;]*;/;

// How the glue asks, in a pool thread of Node, whether the scope itself can post messages. Bun's has
// the function, but its messages come through parentPort alone, like Node's.
const asksForMessages = /\bif\s*\(!globalThis\.postMessage\)/;

// Where the threaded glue makes the memory that threads share: runtime/module.ts does that instead,
// with a smaller maximum where the largest is not to be had.
const makesMemory =
  /\bnew WebAssembly\.Memory\(\{\s*initial:\s*INITIAL_MEMORY\s*\/\s*65536,\s*maximum:\s*65536,\s*shared:\s*true,?\s*\}\)/;

// The parts of the glue that read the wasm file. runtime/module.ts does that itself
// (`instantiateWasm`), and pool threads are sent the compiled module.
const readsWasm = [
  /(?<=\belse )if\s*\(ENVIRONMENT_IS_WEB\s*\|\|\s*ENVIRONMENT_IS_WORKER\)/,
  /\bvar wasmBinaryFile;\s*function findWasmBinary\b[^]*?(?=function getWasmImports\b)/,
  /\bwasmBinaryFile\s*\?\?=\s*findWasmBinary\(\);[^]*?return exports;?(?=\s*\})/,
];

// Embind's strings of wide characters, which it registers whether or not a function takes some.
const registersWide =
  /\bfunction __embind_register_std_wstring\b[^]*?\bdestructorFunction\(ptr\)\s*\{\s*_free\(ptr\);?\s*\}\s*\}\s*\);?\s*\}/;

/**
 * The glue without its questions about where it runs, and without what reads the wasm file or
 * passes wide characters.
 */
function trimmedGlue(glue, path, inNode) {
  if (!asksForNode.test(glue)) throw new Error(`${path} does not ask for Node as expected`);
  let trimmed = glue
    .replace(asksForNode, "")
    .replaceAll(/\bENVIRONMENT_IS_NODE\b/g, String(inNode))
    .replace(asksForMessages, "if(true)")
    .replace(makesMemory, 'Module["makeMemory"](INITIAL_MEMORY/65536)')
    .replace(registersWide, "function __embind_register_std_wstring(){}");
  // Other versions of Emscripten read it in other words; their glue is a little larger then.
  if (readsWasm.every((part) => part.test(trimmed))) {
    const [byPlatform, ...functions] = readsWasm;
    trimmed = trimmed.replace(byPlatform, "if(false)");
    for (const part of functions) trimmed = trimmed.replace(part, "");
  }
  return trimmed;
}

/**
 * Resolves `glue:<variant>` to files; equal ones are bundled once. `inNode`: whether for the
 * workers of Node.
 */
function gluePlugin(files, inNode) {
  return {
    name: "glue",
    setup(bundler) {
      bundler.onResolve({ filter: /^glue:/ }, ({ path }) => ({
        path: files[path.slice("glue:".length)],
      }));
      // The last lines of the threaded glue start a pool thread with a top-level await, which some
      // bundlers do not support in workers: worker-mt.ts starts it instead.
      bundler.onLoad({ filter: /\/tiny-vlm\.mjs$/ }, ({ path }) => {
        const [, glue, start] = /^([^]*export default \w+;)([^]*)$/.exec(
          readFileSync(path, "utf8"),
        );
        if (/-mt\/tiny-vlm\.mjs$/.test(path) && !/isPthread\s*&&/.test(start))
          throw new Error(`${path} does not end as expected: ${start}`);
        if (/-mt\/tiny-vlm\.mjs$/.test(path) && !makesMemory.test(glue))
          throw new Error(`${path} does not make its memory as expected`);
        return { contents: trimmedGlue(glue, path, inNode), loader: "js" };
      });
      bundler.onResolve({ filter: /^node:/ }, ({ path }) => ({ path, external: true }));
    },
  };
}

/**
 * Bundles one file. What it imports at run time is its own (storage.mjs) or, in Emscripten's glue,
 * Node's. Comments tell bundlers of web apps not to look for it; esbuild drops such comments when
 * it minifies, so they are added afterwards.
 */
async function bundle(entry, outfile, options) {
  const { outputFiles } = await build({ ...output(entry, outfile, options), write: false });
  const script = outputFiles[0].text;
  mkdirSync(dirname(outfile), { recursive: true });
  const text = (options.minify === false ? script : await minified(script, options))
    .replaceAll(/\bimport\((?!\.)/g, "import(/* webpackIgnore: true */ /* @vite-ignore */ ")
    // Tools that collect a program's files see through this call, but not through the variable.
    .replaceAll(/(?<=\bnew URL\("[^"]*", )scriptUrl\)/g, (variable) =>
      options.banner === scriptUrl.nodeCjs ? "urlOfPath(__filename))" : variable,
    );
  writeFileSync(outfile, text);
}

/**
 * A script that esbuild has minified, without the functions of Emscripten's glue that nobody calls:
 * esbuild drops such functions only where they are not inside another.
 */
async function minified(script, { format = "esm" }) {
  const { code } = await minifyFurther(script, {
    module: format === "esm",
    toplevel: true,
    ecma: 2020,
    compress: { passes: 3 },
  });
  return code;
}

/** Bundles the workers of an environment: `prefix` "" for pages, "node-" for Node. */
function workers(prefix, folder, files, { minify = true, kinds = ["worker", "worker-mt"] } = {}) {
  return Promise.all(
    kinds.map((kind) =>
      bundle(join(source, `${prefix}${kind}.ts`), join(folder, `${prefix}${kind}.mjs`), {
        ...(prefix === "" ? { format: "iife", banner: scriptUrl.worker } : { platform: "node" }),
        plugins: [gluePlugin(files, prefix !== "")],
        minify,
      }),
    ),
  );
}

/**
 * Bundles an adapter for import and for require. What it uses of the SDK as a whole, and the library
 * that it adapts to, are the program's own.
 */
function buildAdapter(name, folder) {
  return [
    ["esm", "mjs"],
    ["cjs", "cjs"],
  ].map(([format, suffix]) =>
    build({
      ...output(join(source, "adapters", `${name}.ts`), join(folder, `${name}.${suffix}`), {
        format,
      }),
      external: ["react", "tiny-vlm"],
    }),
  );
}

function wasmBuild(variant, name) {
  return join(root, "build", `wasm-${variant}`, name);
}

function copy(from, to) {
  mkdirSync(dirname(to), { recursive: true });
  cpSync(from, to);
}

async function buildPackage() {
  const missing = variants.filter(
    (variant) =>
      !wasmModules(variant).every((name) => existsSync(wasmBuild(variant, `${name}.wasm`))),
  );
  if (missing.length > 0)
    throw new Error(
      `not compiled: build/wasm-${missing.join(", build/wasm-")}; run npm run build instead`,
    );
  // Built beside dist/ and exchanged at the end, so that dist/ is complete at any time.
  rmSync(unfinished, { recursive: true, force: true });

  const glue = Object.fromEntries(
    variants.map((variant) => [variant, wasmBuild(variant, "tiny-vlm.mjs")]),
  );
  const sameGlue = (a, b) => readFileSync(glue[a], "utf8") === readFileSync(glue[b], "utf8");
  for (const variant of ["scalar", "relaxed"]) {
    if (sameGlue(variant, "simd")) glue[variant] = glue.simd;
    else console.log(`the glue of ${variant} and simd differs: worker.mjs contains both`);
  }
  if (!sameGlue("relaxed-mt", "simd-mt"))
    throw new Error(
      "the glue of relaxed-mt and simd-mt differs: worker-mt.mjs can contain only one",
    );
  const at = (name) => join(unfinished, name);
  const [index, node, iife, demo, nodeDemo, support, nodeSupport] = [
    "index.ts",
    "node.ts",
    "iife.ts",
    "demo-model.ts",
    "node-demo-model.ts",
    "support.ts",
    "node-support.ts",
  ].map((name) => join(source, name));
  await Promise.all([
    bundle(index, at("index.mjs"), {}),
    bundle(index, at("index.cjs"), { format: "cjs", banner: scriptUrl.browserCjs }),
    bundle(iife, at("tiny-vlm.iife.js"), {
      format: "iife",
      banner: scriptUrl.iife,
      footer: "})();",
    }),
    bundle(demo, at("demo-model.mjs"), {}),
    bundle(demo, at("demo-model.cjs"), { format: "cjs", banner: scriptUrl.browserCjs }),
    bundle(nodeDemo, at("node-demo-model.mjs"), { platform: "node", minify: false }),
    bundle(nodeDemo, at("node-demo-model.cjs"), nodeCommonJs),
    bundle(join(source, "loader", "open-store.ts"), at("storage.mjs"), {}),
    bundle(join(source, "page-parts.ts"), at("page-parts.mjs"), {}),
    bundle(join(source, "checkpoint.ts"), at("convert/checkpoint.mjs"), {}),
    ...adapters.flatMap((name) => buildAdapter(name, at("adapters"))),
    build(output(node, at("node.mjs"), { platform: "node", minify: false })),
    bundle(support, at("support.mjs"), {}),
    bundle(support, at("support.cjs"), { format: "cjs" }),
    bundle(nodeSupport, at("node-support.mjs"), { platform: "node", minify: false }),
    bundle(nodeSupport, at("node-support.cjs"), nodeCommonJs),
    bundle(node, at("node.cjs"), nodeCommonJs),
    build(
      output(join(source, "cli.ts"), at("cli.mjs"), {
        platform: "node",
        banner: "#!/usr/bin/env node\nconst scriptUrl=import.meta.url;",
        minify: false,
      }),
    ),
    workers("", unfinished, glue),
    workers("node-", unfinished, glue),
  ]);

  chmodSync(at("cli.mjs"), 0o755); // npx runs it as a program

  for (const variant of variants) {
    copy(wasmBuild(variant, "tiny-vlm.wasm"), at(`wasm/tiny-vlm-${variant}.wasm`));
    copy(wasmBuild(variant, "tiny-vlm-tools.wasm"), at(`tools/tiny-vlm-tools-${variant}.wasm`));
    // Emscripten's glue loads its files by the names that they were built with.
    const tools = readFileSync(wasmBuild(variant, "tiny-vlm-tools.mjs"), "utf8").replaceAll(
      "tiny-vlm-tools.",
      `tiny-vlm-tools-${variant}.`,
    );
    writeFileSync(at(`tools/tiny-vlm-tools-${variant}.mjs`), tools);
  }
  for (const name of ["tiny-vlm-convert.mjs", "tiny-vlm-convert.wasm"])
    copy(wasmBuild("scalar", name), at(`convert/${name}`));
  copy(demoModel, at("model/tiny-vlm-demo.gguf"));
  writeFileSync(at("THIRD-PARTY-NOTICES.txt"), thirdPartyNotices());

  await buildTypes(at("types"), at("types-cjs"));
  rmSync(dist, { recursive: true, force: true });
  renameSync(unfinished, dist);
}

/**
 * The package for debugging, in build/debug-package: the preset wasm-debug in the place of every
 * build without threads, nothing minified, and a source map that carries the sources.
 */
async function buildDebugPackage() {
  const wasm = wasmBuild("debug", "tiny-vlm.wasm");
  if (!existsSync(wasm)) throw new Error(`not compiled: ${wasm}; npm run dev -- --debug does that`);
  const at = (name) => join(root, "build", "debug-package", name);
  rmSync(at("."), { recursive: true, force: true });
  const glue = Object.fromEntries(
    variants.map((variant) => [variant, wasmBuild("debug", "tiny-vlm.mjs")]),
  );
  await Promise.all([
    build(output(join(source, "index.ts"), at("index.mjs"), { minify: false })),
    build(output(join(source, "node.ts"), at("node.mjs"), { platform: "node", minify: false })),
    ...["", "node-"].map((prefix) =>
      workers(prefix, at("."), glue, { minify: false, kinds: ["worker"] }),
    ),
  ]);
  for (const variant of variants.filter((name) => !name.endsWith("-mt")))
    copy(wasm, at(`wasm/tiny-vlm-${variant}.wasm`));
  // The module names its map without a folder, so it lies beside it.
  const map = JSON.parse(readFileSync(`${wasm}.map`, "utf8"));
  map.sources = map.sources.map(sourceName);
  const textOf = (name) =>
    existsSync(join(root, name)) ? readFileSync(join(root, name), "utf8") : null;
  map.sourcesContent = map.sources.map(textOf);
  writeFileSync(at("wasm/tiny-vlm.wasm.map"), JSON.stringify(map));
  copy(demoModel, at("model/tiny-vlm-demo.gguf"));
}

// The declarations twice, for import and for require: the same text in folders whose package.json
// gives the module type. (The repository's package.json says commonjs: "module" would make ES
// modules of the CommonJS .js files that Emscripten writes below build/ and keeps below .toolchain/.)
async function buildTypes(types, forRequire) {
  await emitDeclarations(types);
  cpSync(types, forRequire, { recursive: true });
  writeFileSync(join(types, "package.json"), '{ "type": "module" }\n');
  writeFileSync(join(forRequire, "package.json"), '{ "type": "commonjs" }\n');
}

/** Bundles the tests in `folder` and runs them. */
async function runTests(folder, extra) {
  rmSync(testOutput, { recursive: true, force: true });
  rmSync(testCache, { recursive: true, force: true });
  const entries = readdirSync(folder).filter((name) => name.endsWith(".test.ts"));
  await Promise.all(
    entries.map((name) =>
      build({
        ...output(join(folder, name), join(testOutput, name.replace(/\.ts$/, ".mjs")), {
          platform: "node",
          minify: false,
        }),
        // Adapters that load models themselves have the package's own entry.
        alias: { "tiny-vlm": join(source, "node.ts") },
      }),
    ),
  );
  await extra?.();
  const bundled = entries.map((name) => join(testOutput, name.replace(/\.ts$/, ".mjs")));
  run(process.execPath, ["--test", ...bundled]);
  return bundled;
}

// Runs the tests of the relaxed builds once more where this Node has no relaxed SIMD and set-up has
// installed one that has.
async function runIntegration() {
  const bundled = await runTests(join(tests, "integration"));
  const newer = relaxedNode();
  const named = bundled.filter((path) => /(package|relaxed)\.test\.mjs$/.test(path));
  if (newer && newer !== process.execPath)
    run(newer, ["--test", "--test-name-pattern=^relaxed", ...named]);
}

// Workers with the fake engine and empty wasm modules, where the bundled tests look for those of
// the package.
async function buildFakes() {
  const fake = join(tests, "fake-engine.ts");
  const files = Object.fromEntries(variants.map((variant) => [variant, fake]));
  await workers("node-", testOutput, files, { minify: false });
  mkdirSync(join(testOutput, "wasm"), { recursive: true });
  for (const variant of variants)
    writeFileSync(
      join(testOutput, "wasm", `tiny-vlm-${variant}.wasm`),
      Uint8Array.of(0, 97, 115, 109, 1, 0, 0, 0),
    );
}

function run(program, args) {
  // What tests load is not kept where the user's own models are.
  const env = { TINYVLM_CACHE: testCache, ...process.env };
  const { status, error } = spawnSync(program, args, { stdio: "inherit", cwd: root, env });
  if (error) throw error;
  if (status !== 0) {
    process.exitCode = status ?? 1;
    throw new Error(`${program} failed`);
  }
}

try {
  const [mode] = process.argv.slice(2);
  if (mode === "--test") await runTests(tests, buildFakes);
  else if (mode === "--integration") await runIntegration();
  else if (mode === "--debug") await buildDebugPackage();
  else if (mode === undefined) await buildPackage();
  else throw new Error(`unknown flag ${mode}; --test, --integration and --debug are known`);
} catch (error) {
  console.error(`build-sdk: ${error.message}`);
  process.exitCode ||= 1;
}
