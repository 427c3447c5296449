#!/usr/bin/env node
// npm run setup [-- part...]: fetches and builds what this machine lacks, says what it does and how
// long it takes, and has nothing to do the second time.
import { setUpBrowser } from "./setup/browsers.mjs";
import { setUpBuildTools } from "./setup/build-tools.mjs";
import { setUpQemu, setUpZig } from "./setup/cross-tools.mjs";
import { setUpEmscripten } from "./setup/emscripten.mjs";
import { setUpNodeModules } from "./setup/node-modules.mjs";
import { setUpRelaxedNode } from "./setup/relaxed-node.mjs";
import { setUpEngineSources, setUpSources } from "./setup/sources.mjs";
import { summary } from "./setup/steps.mjs";
import { setUpSwift } from "./setup/swift.mjs";
import { setUpClang } from "./setup/system-programs.mjs";
import { fileURLToPath } from "node:url";

// In the order in which they are set up. "everyday" ones need no root and are what a build needs.
const parts = {
  tools: { work: setUpBuildTools, everyday: true, about: "CMake and Ninja" },
  sources: {
    work: setUpSources,
    everyday: true,
    about:
      "Highway, sentencepiece, zlib, and utf8proc, lodepng and Catch2 of the tests, under .deps",
  },
  "engine-sources": {
    work: setUpEngineSources,
    everyday: false,
    about: "Highway, sentencepiece and zlib only",
  },
  modules: { work: setUpNodeModules, everyday: true, about: "node_modules" },
  emscripten: { work: setUpEmscripten, everyday: true, about: "emcc 3.1.50 or newer" },
  "relaxed-node": {
    work: setUpRelaxedNode,
    everyday: false,
    about: "Node 22 where this one is older, for the tests of the relaxed builds",
  },
  browser: {
    work: setUpBrowser("chromium"),
    everyday: false,
    about: "Chromium, for the browser tests",
  },
  firefox: {
    work: setUpBrowser("firefox"),
    everyday: false,
    about: "Firefox, for the browser tests",
  },
  webkit: {
    work: setUpBrowser("webkit"),
    everyday: false,
    about: "WebKitGTK, its WebDriver and Xvfb, for the browser tests",
  },
  swift: {
    work: setUpSwift,
    everyday: false,
    about: "Swift 6 for Linux, 0.5 GB, for mobile/swift",
  },
  clang: { work: setUpClang, everyday: false, about: "the second native compiler, for CI" },
  zig: { work: setUpZig, everyday: false, about: "the compiler of the cross builds for Arm" },
  qemu: { work: setUpQemu, everyday: false, about: "runs programs for Linux on arm64" },
};

/** Sets up the named parts; the everyday ones where none is named. */
export async function setUp(names = []) {
  const unknown = names.filter((name) => !parts[name]);
  if (unknown.length > 0) {
    const known = Object.entries(parts).map(([name, { about }]) => `  ${name}: ${about}`);
    throw new Error(`unknown part ${unknown.join(", ")}; parts are:\n${known.join("\n")}`);
  }
  const [major] = process.versions.node.split(".").map(Number);
  if (major < 20) throw new Error(`Node.js 20 or newer is wanted, this is ${process.version}`);
  const chosen = Object.entries(parts).filter(([name, { everyday }]) =>
    names.length > 0 ? names.includes(name) : everyday,
  );
  console.log(`Set-up: ${chosen.map(([name]) => name).join(", ")}`);
  for (const [, { work }] of chosen) await work();
  console.log(`Set-up done: ${summary()}`);
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  await setUp(process.argv.slice(2)).catch((error) => {
    console.error(`setup: ${error.message}`);
    process.exitCode = 1;
  });
}
