#!/usr/bin/env node
// npm test [-- suite...]: every test suite, each under its heading and with its time, then a
// summary. Sets up and builds what is missing first. Test cases whose data is not on this machine
// are skipped, and what was not found is listed at the end (tests-native/README.md tells of it).
// Environment: TINYVLM_SHARED says where that data is; REQUIRE_SHARED=1 makes missing data a
// failure; CI=true makes compiler warnings errors.
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { resultsFile } from "./browser-matrix.mjs";
import { announcePackage, buildPackage, buildPreset } from "./build.mjs";
import { shortRound } from "./fuzz.mjs";
import { lint } from "./lint.mjs";
import { check as checkAndroidLibraries, checkApple, emulatorArguments } from "./mobile.mjs";
import { appleTargets } from "./mobile/apple-library.mjs";
import { setUp } from "./setup.mjs";
import { findBrowser, remedyFor } from "./setup/browsers.mjs";
import { zigEnvironment } from "./setup/cross-tools.mjs";
import { neededRelaxedNode } from "./setup/relaxed-node.mjs";
import { reportSizes } from "./size.mjs";
import { runSwift, scratch as swiftScratch } from "./swift.mjs";
import { androidSuite } from "./test-android.mjs";
import { root, runShown, toolEnvironment } from "./toolchain.mjs";

// What a test case printed, or gave as the reason why it was skipped, where its data is missing.
const missingData = (output) =>
  [...output.matchAll(/^.*\bmissing test data: (\S+)$/gm)].map(([, path]) => path);

// What ctest wrote down of its last run.
function lastCtestLog(preset) {
  const path = join(root, "build", preset, "Testing", "Temporary", "LastTest.log");
  return readFileSync(path, "utf8").replaceAll(/\x1b\[[\d;]*m/g, ""); // wasm prints in colour
}

// Counts Catch2's test cases in it; a program that ended without Catch2's summary counts as one
// failure.
function countCatch2(preset) {
  const log = lastCtestLog(preset);
  const counts = { passed: 0, failed: 0, skipped: 0 };
  for (const program of log.split(/^\d+\/\d+ Testing: /m).slice(1)) {
    const cases = /^test cases: +(\d+)(.*)$/m.exec(program);
    const allPassed = /^All tests passed \(.* in (\d+) test cases?\)/m.exec(program);
    const number = (word) => Number(new RegExp(`(\\d+) ${word}`).exec(cases?.[2] ?? "")?.[1] ?? 0);
    const before = counts.failed;
    if (allPassed) counts.passed += Number(allPassed[1]);
    else if (cases) {
      counts.passed += number("passed");
      counts.failed += number("failed");
      counts.skipped += number("skipped");
    }
    if (/^Test Failed\.|^Test timed out|^Test not run/im.test(program) && counts.failed === before)
      ++counts.failed;
  }
  return { ...counts, missing: missingData(log) };
}

// Runs a preset's test programs that are built, or those that ctest's `selection` names.
async function runCtest(preset, selection = [], environment = {}) {
  await runShown(
    "ctest",
    ["--preset", preset, "--progress", "-j", "2", "--timeout", "2400", ...selection],
    { env: { ...toolEnvironment(), ...environment } },
  );
  return countCatch2(preset);
}

// Builds and runs a preset's test programs: all, or those named.
async function catch2Suite(preset, programs = [], settings = []) {
  buildPreset(preset, programs, { settings });
  return runCtest(
    preset,
    programs.length > 0 ? ["--tests-regex", `^(${programs.join("|")})$`] : [],
  );
}

// The native programs that read shared data, as they run in a clone that has nothing beside it:
// nothing may fail, and something of each program must have run or been skipped. Built by "native".
async function aloneSuite() {
  buildPreset("release");
  const { missing, ...counts } = await runCtest("release", ["--label-regex", "^shared-data$"], {
    TINYVLM_SHARED: join(root, "build", "no-shared-data"),
    REQUIRE_SHARED: "",
  });
  console.log(`without ${new Set(missing).size} files and folders of shared data, as intended`);
  return counts;
}

// Counts of Node's own test runner, from its closing lines.
async function nodeSuite(args, environment = {}) {
  const env = {
    ...toolEnvironment(),
    ...environment,
    NODE_OPTIONS: `${process.env.NODE_OPTIONS ?? ""} --test-reporter=spec`,
  };
  const { status, output } = await runShown(process.execPath, args, { env });
  const count = (word) =>
    [...output.matchAll(new RegExp(`^(?:#|\\u2139) ${word} (\\d+)`, "gm"))].reduce(
      (sum, match) => sum + Number(match[1]),
      0,
    );
  const counts = {
    passed: count("pass"),
    failed: count("fail") + count("cancelled"),
    skipped: count("skipped"),
    missing: missingData(output.replaceAll(/\x1b\[[\d;]*m/g, "")),
  };
  if (status !== 0 && counts.failed === 0) counts.failed = 1;
  return counts;
}

// Where numbers come from; the other programs test code that is the same in wasm-simd.
const relaxedPrograms = [
  "kernels_test",
  "golden_test",
  "demo_model_test",
  "third_party_test",
  "engine_test",
  "api_test",
];

async function relaxedSuite() {
  await setUp(["relaxed-node"]);
  return catch2Suite("wasm-relaxed", relaxedPrograms, [
    `-DCMAKE_CROSSCOMPILING_EMULATOR=${neededRelaxedNode()}`,
  ]);
}

// Where numbers come from, and what asks whole models: these are too slow under qemu for each kind,
// and demo_model_test for any.
const arm64Numbers = ["kernels_test", "golden_test", "third_party_test"];
const arm64Models = ["engine_test", "api_test"];

// Processors that qemu imitates, or instructions that are forced on the one that has everything
// that qemu has (tests-native/dispatch.cc), and what the kernels are then to run on. What ships has
// of Highway's targets NEON_WITHOUT_AES alone.
const forced = (target, int8) => ({
  QEMU_CPU: "max",
  TINYVLM_TEST_TARGET: target,
  TINYVLM_TEST_ARM_INT8: int8,
});
const arm64Runs = [
  {
    about: "Cortex-A53",
    environment: { QEMU_CPU: "cortex-a53" },
    kernels: "NEON_WITHOUT_AES, int8 NEON",
    programs: arm64Numbers,
  },
  {
    about: "Cortex-A76",
    environment: { QEMU_CPU: "cortex-a76" },
    kernels: "NEON_WITHOUT_AES, int8 dotprod",
    programs: arm64Numbers,
  },
  {
    about: "all that qemu has",
    environment: { QEMU_CPU: "max" },
    kernels: "NEON_BF16 NEON_WITHOUT_AES, int8 i8mm",
    programs: arm64Numbers,
  },
  ...["NEON", "dotprod", "i8mm"].map((int8) => ({
    about: `${int8}, forced`,
    environment: forced("NEON_WITHOUT_AES", int8),
    kernels: `NEON_WITHOUT_AES, int8 ${int8}`,
    programs: int8 === "i8mm" ? [...arm64Numbers.slice(1), ...arm64Models] : arm64Numbers.slice(1),
  })),
  {
    about: "bfloat16, forced",
    environment: forced("NEON_BF16", "NEON"),
    kernels: "NEON_BF16, int8 NEON",
    programs: arm64Numbers.slice(1),
  },
];

async function arm64Suite() {
  Object.assign(process.env, zigEnvironment());
  const preset = "arm64-linux";
  const settings = ["-DTINYVLM_NEON_BF16=ON"];
  buildPreset(preset, [...arm64Numbers, ...arm64Models], { settings });
  const total = { passed: 0, failed: 0, skipped: 0, missing: [] };
  for (const { about, environment, kernels, programs } of arm64Runs) {
    console.log(`-- ${about}: ${kernels}`);
    const selection = ["--tests-regex", `^(${programs.join("|")})$`];
    const { missing, ...counts } = await runCtest(preset, selection, environment);
    for (const [key, count] of Object.entries(counts)) total[key] += count;
    total.missing.push(...missing);
    const found = [...lastCtestLog(preset).matchAll(/^kernels: (.*)$/gm)].map(([, used]) => used);
    if (found.length === programs.length && found.every((used) => used === kernels)) continue;
    console.error(`${programs.length} programs on ${kernels} wanted, found ${found.join("; ")}`);
    total.failed += 1;
  }
  return total;
}

// The libraries for Android as files, then the arm64 one in the emulator.
async function androidNativeSuite() {
  const problems = await checkAndroidLibraries();
  const { status, output } = await runShown("mvn", emulatorArguments());
  const summary = /^.*Tests run: (\d+), Failures: (\d+), Errors: (\d+), Skipped: (\d+)\s*$/gm;
  const [, run = 0, failures = 0, errors = 0] = [...output.matchAll(summary)].at(-1) ?? [];
  const failed = Number(failures) + Number(errors);
  return {
    passed: (problems.length === 0 ? 1 : 0) + Number(run) - failed,
    failed: problems.length + Math.max(failed, status === 0 ? 0 : 1),
  };
}

// The libraries for Apple's systems as files; their reader, and what can be said without building.
async function appleSuite() {
  const counts = await nodeSuite([
    "--test",
    ...["macho", "apple-library"].map((name) => join("scripts", "mobile", `${name}.test.mjs`)),
  ]);
  const problems = await checkApple();
  counts.failed += problems.length;
  counts.passed += Object.keys(appleTargets).filter(
    (triple) => !problems.some((problem) => problem.startsWith(`${triple}: `)),
  ).length;
  return counts;
}

async function sanitizerSuite() {
  await setUp(["clang"]);
  return catch2Suite("asan");
}

// What has threads: the pool, sessions, the C interface.
async function threadSanitizerSuite() {
  await setUp(["clang"]);
  return catch2Suite("tsan", ["parallel_test", "engine_test", "api_test"]);
}

// The specs of tests-browser in one browser: set-up's part and what TINYVLM_BROWSER calls it.
async function browserSuite(part, browser = part) {
  await setUp([part]);
  if (!findBrowser(browser) && process.env.CI !== "true") {
    console.log(`nothing is run: ${remedyFor(browser)}`);
    return { passed: 0, failed: 0, skipped: 1 };
  }
  const specs = readdirSync(join(root, "tests-browser"))
    .filter((name) => name.endsWith(".spec.mjs"))
    .sort();
  return nodeSuite(
    [
      "--test",
      "--test-concurrency=1",
      "--test-reporter-destination=stdout",
      `--test-reporter=${pathToFileURL(join(root, "tests-browser", "matrix-reporter.mjs"))}`,
      `--test-reporter-destination=${resultsFile(browser)}`,
      ...specs.map((name) => join("tests-browser", name)),
    ],
    { TINYVLM_BROWSER: browser },
  );
}

// The toolchains that are quick to install; `npm run toolchains` runs all.
async function toolchainsSuite() {
  const { status, output } = await runShown(process.execPath, [
    join("tests-toolchains", "run.mjs"),
    "--everyday",
  ]);
  const [, passed = 0, failed = 1] = /^(\d+) passed, (\d+) failed$/m.exec(output) ?? [];
  return { passed: Number(passed), failed: Math.max(Number(failed), status === 0 ? 0 : 1) };
}

async function packageSuite() {
  await setUp(["relaxed-node"]);
  return nodeSuite([sdk, "--integration"]);
}

// The Swift package: what can be said without compiling it, then its own tests in a release build
// (the engine computes fifty times as slowly in a debug build).
async function swiftSuite() {
  const build = ["build", "--scratch-path", swiftScratch, "-c", "release", "--build-tests"];
  const testable = ["-Xswiftc", "-enable-testing"];
  const built = await runSwift("swift", [...build, ...testable]);
  if (built.status !== 0) return { passed: 0, failed: 1 };
  const counts = await nodeSuite(["--test", join("scripts", "swift.test.mjs")]);
  const test = ["test", "--scratch-path", swiftScratch, "-c", "release", "--skip-build"];
  const { status, output } = await runSwift("swift", test);
  const count = (word) =>
    [...output.matchAll(new RegExp(`^Test Case '.*' ${word} \\(`, "gm"))].length;
  counts.passed += count("passed");
  counts.failed += count("failed");
  counts.skipped += count("skipped");
  if (status !== 0 && counts.failed === 0) counts.failed = 1;
  return counts;
}

async function typeCheck() {
  const counts = { passed: 0, failed: 0 };
  for (const project of [".", join("mobile", "react-native")]) {
    const tsc = join(root, "node_modules", ".bin", "tsc");
    const { status } = await runShown(tsc, ["--noEmit", "-p", project]);
    counts[status === 0 ? "passed" : "failed"]++;
  }
  return counts;
}

const sdk = join("scripts", "build-sdk.mjs");

// "everyday": run by a plain `npm test`. "package": wants dist/. "preset": whose test programs it
// builds. "parts": all that it needs of the set-up, in place of the everyday ones.
const suites = {
  house: { title: "Formatting, linter, layers, documents", everyday: true, run: () => lint() },
  native: {
    title: "Native tests",
    everyday: true,
    preset: "release",
    run: () => catch2Suite("release"),
  },
  "wasm-scalar": {
    title: "wasm tests under Node, scalar",
    everyday: true,
    preset: "wasm-scalar",
    run: () => catch2Suite("wasm-scalar"),
  },
  "wasm-simd": {
    title: "wasm tests under Node, SIMD",
    everyday: true,
    preset: "wasm-simd",
    run: () => catch2Suite("wasm-simd"),
  },
  "wasm-relaxed": {
    title: "wasm tests under Node, relaxed SIMD",
    everyday: true,
    preset: "wasm-relaxed",
    run: relaxedSuite,
  },
  types: { title: "SDK types", everyday: true, run: typeCheck },
  sdk: { title: "SDK unit tests", everyday: true, run: () => nodeSuite([sdk, "--test"]) },
  package: {
    title: "Package and command line under Node",
    everyday: true,
    package: true,
    run: packageSuite,
  },
  docs: {
    title: "Code in the documents",
    everyday: true,
    package: true,
    run: () => nodeSuite(["--test", join("scripts", "snippets.test.mjs")]),
  },
  browser: {
    title: "Browser tests (Chromium)",
    everyday: true,
    package: true,
    run: () => browserSuite("browser", "chromium"),
  },
  firefox: {
    title: "Browser tests (Firefox)",
    everyday: false,
    package: true,
    run: () => browserSuite("firefox"),
  },
  webkit: {
    title: "Browser tests (WebKit: WebKitGTK)",
    everyday: false,
    package: true,
    run: () => browserSuite("webkit"),
  },
  toolchains: {
    title: "Toolchains: Rollup, esbuild, TypeScript, publint, attw (from the npm registry)",
    everyday: false,
    package: true,
    run: toolchainsSuite,
  },
  android: {
    title: "Android: Kotlin, Robolectric, AAR (Maven fetches 600 MB)",
    everyday: false,
    parts: ["tools", "engine-sources", "modules"],
    run: androidSuite,
  },
  "react-native": {
    title: "React Native package (codegen, types, Hermes: 200 MB; Kotlin: Maven)",
    everyday: false,
    parts: ["modules"],
    run: () => nodeSuite([join("scripts", "test-react-native.mjs")]),
  },
  size: { title: "Sizes", everyday: true, package: true, run: reportSizes },
  swift: {
    title: "Swift package, with Swift for Linux (0.5 GB from Debian)",
    everyday: false,
    parts: ["engine-sources", "swift"],
    run: swiftSuite,
  },
  alone: {
    title: "Native tests without shared data",
    everyday: false,
    run: aloneSuite,
  },
  arm64: {
    title: "Native tests for Linux on arm64, each kind of instructions (qemu)",
    everyday: false,
    parts: ["tools", "sources", "zig", "qemu"],
    run: arm64Suite,
  },
  "android-native": {
    title: "Android: the native libraries' files; arm64 in an emulator (Maven)",
    everyday: false,
    parts: ["tools", "engine-sources", "zig"],
    run: androidNativeSuite,
  },
  apple: {
    title: "Apple's systems: the C library, compiled and linked by zig (101 MB)",
    everyday: false,
    parts: ["tools", "engine-sources", "zig"],
    run: appleSuite,
  },
  asan: {
    title: "Native tests, Clang, AddressSanitizer and UndefinedBehaviorSanitizer",
    everyday: false,
    preset: "asan",
    run: sanitizerSuite,
  },
  fuzz: {
    title: "Fuzz targets, a short round, Clang, both sanitizers",
    everyday: false,
    parts: ["tools", "engine-sources", "clang"],
    run: shortRound,
  },
  tsan: {
    title: "Native tests of what has threads, Clang, ThreadSanitizer",
    everyday: false,
    run: threadSanitizerSuite,
  },
};

const minutes = (milliseconds) =>
  `${Math.floor(milliseconds / 60000)} min ${((milliseconds % 60000) / 1000).toFixed(0)} s`;

// Says what is about to be built and roughly how long that takes, where it is much.
function announce(chosen) {
  if (chosen.some((suite) => suite.package)) announcePackage();
  const missing = chosen
    .flatMap(({ preset }) => preset ?? [])
    .filter((preset) => !existsSync(join(root, "build", preset, "build.ninja")));
  if (missing.length > 0)
    console.log(
      `The test programs of ${missing.join(", ")} are compiled, too: 10 minutes of processor time each.`,
    );
}

async function main(names) {
  const unknown = names.filter((name) => !suites[name]);
  if (unknown.length > 0)
    throw new Error(
      `unknown suite ${unknown.join(", ")}; suites are ${Object.keys(suites).join(", ")}`,
    );
  const chosen = Object.entries(suites)
    .filter(([name, { everyday }]) => (names.length > 0 ? names.includes(name) : everyday))
    .map(([, suite]) => suite);
  const begin = performance.now();
  const results = [];
  announce(chosen);
  if (chosen.some((suite) => !suite.parts)) await setUp();
  const parts = [...new Set(chosen.flatMap((suite) => suite.parts ?? []))];
  if (parts.length > 0) await setUp(parts);
  if (chosen.some((suite) => suite.package)) await buildPackage();
  for (const { title, run } of chosen) {
    console.log(`\n== ${title} ==`);
    const started = performance.now();
    let counts;
    try {
      counts = await run();
    } catch (error) {
      console.error(error.message);
      counts = { passed: 0, failed: 1 };
    }
    // A suite that ran nothing has told nothing.
    if (counts.passed + counts.failed + (counts.skipped ?? 0) === 0) counts.failed = 1;
    results.push({ title, ...counts, time: minutes(performance.now() - started) });
    console.log(
      `== ${title}: ${counts.passed} passed, ${counts.failed} failed${counts.skipped ? `, ${counts.skipped} skipped` : ""} (${results.at(-1).time})`,
    );
  }
  console.log(`\n${"Suite".padEnd(72)} passed failed skipped  time`);
  for (const { title, passed, failed, skipped = 0, time } of results) {
    console.log(
      `${title.padEnd(72)} ${String(passed).padStart(6)} ${String(failed).padStart(6)} ${String(skipped).padStart(7)}  ${time}`,
    );
  }
  const missing = [...new Set(results.flatMap((result) => result.missing ?? []))].sort();
  if (missing.length > 0) {
    const folder = process.env.TINYVLM_SHARED || join("..", "shared");
    console.log(`\nSkipped for want of data (tests-native/README.md), not found in ${folder}:`);
    for (const path of missing) console.log(`  ${path}`);
  }
  const total = (key) => results.reduce((sum, result) => sum + (result[key] ?? 0), 0);
  console.log(
    `\nAll of it took ${minutes(performance.now() - begin)}${total("skipped") > 0 ? `; ${total("skipped")} skipped` : ""}`,
  );
  console.log(`${total("passed")} passed, ${total("failed")} failed`);
  return total("failed") === 0;
}

main(process.argv.slice(2)).then(
  (good) => (process.exitCode = good ? 0 : 1),
  (error) => {
    console.error(`test: ${error.message}`);
    console.log("0 passed, 1 failed");
    process.exitCode = 1;
  },
);
