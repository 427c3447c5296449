// The installed library: what it exports, and examples/c/ask.c built against it in each way that
// docs/c-api.md describes.

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { cpSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { after, before, test } from "node:test";
import { fileURLToPath } from "node:url";

const { TINYVLM_BUILD: build, TINYVLM_CMAKE: cmake, TINYVLM_CC: cc, TINYVLM_NM: nm } = process.env;
// This build's own generator: the machine may have no make, and make takes no # in a path.
const generator = [
  "-G",
  process.env.TINYVLM_GENERATOR,
  `-DCMAKE_MAKE_PROGRAM=${process.env.TINYVLM_MAKE_PROGRAM}`,
];
const root = dirname(dirname(dirname(fileURLToPath(import.meta.url))));
const folder = mkdtempSync(join(tmpdir(), "tiny-vlm install-")); // a name with a space
const shared = join(folder, "shared");
const fixed = join(folder, "static"); // the same without the shared library
const model = join(root, "model", "tiny-vlm-demo.gguf");
const answers = { "sample-1.png": "A sunflower.", "sample-2.png": "A pencil and a ring." };

const lines = (text) => text.split("\n").filter(Boolean);

function run(program, args, env = {}) {
  const result = spawnSync(program, args, { encoding: "utf8", env: { ...process.env, ...env } });
  assert.equal(result.status, 0, `${program} ${args.join(" ")}\n${result.stdout}${result.stderr}`);
  return result.stdout;
}

function pkgConfig(prefix, ...flags) {
  const output = run("pkg-config", [...flags, "tinyvlm"], {
    PKG_CONFIG_PATH: join(prefix, "lib", "pkgconfig"),
  });
  // What a shell makes of it: a space that belongs to a path is escaped.
  return output
    .trim()
    .match(/(?:\\.|[^\s\\])+/g)
    .map((word) => word.replaceAll(/\\(.)/g, "$1"));
}

function assertAnswers(program, env) {
  for (const [sample, answer] of Object.entries(answers)) {
    const image = join(root, "examples-web", "samples", sample);
    assert.equal(run(program, [model, image], env), `${answer}\n`);
  }
}

before(() => {
  run(cmake, ["--install", build, "--prefix", shared, "--component", "library"]);
  cpSync(shared, fixed, { recursive: true });
  for (const name of readdirSync(join(fixed, "lib")))
    if (/^libtinyvlm\.(so|dylib|\d)/.test(name) && !name.endsWith(".a"))
      rmSync(join(fixed, "lib", name));
});
after(() => rmSync(folder, { recursive: true }));

test("the header declares what cpp/api/exports.txt lists", () => {
  const header = readFileSync(join(shared, "include", "tinyvlm.h"), "utf8");
  const declared = [...header.matchAll(/^TVLM_EXPORT [^;(]*?\b(tvlm_\w+)\(/gm)].map(
    ([, name]) => name,
  );
  assert.deepEqual(declared.sort(), listed);
});

const listed = lines(readFileSync(join(root, "cpp", "api", "exports.txt"), "utf8"));
const notLinux = process.platform !== "linux" && "symbols are read on Linux only";

test("both libraries export that list and nothing else", { skip: notLinux }, () => {
  const symbols = (...args) =>
    lines(run(nm, ["--defined-only", "--extern-only", ...args]))
      .filter((line) => /^[0-9a-f]+ [^u]/.test(line)) // not GCC's unique constants, nor members' names
      .map((line) => line.split(" ").at(-1).split("@")[0])
      .filter((name) => !/^TINYVLM_\d+$/.test(name)) // the version of the symbols
      .sort();
  assert.deepEqual(symbols("-D", join(shared, "lib", "libtinyvlm.so")), listed);
  assert.deepEqual(symbols(join(shared, "lib", "libtinyvlm.a")), listed);
});

test("inside another project only the library is configured", () => {
  const source = mkdtempSync(join(folder, "embed-"));
  writeFileSync(
    join(source, "CMakeLists.txt"),
    `cmake_minimum_required(VERSION 3.22)
project(embed LANGUAGES C CXX)
add_subdirectory("${root}" tiny-vlm EXCLUDE_FROM_ALL)
add_executable(ask "${root}/examples/c/ask.c")
target_link_libraries(ask PRIVATE TinyVLM::static)
foreach(name tiny-vlm tinyvlm-probe catch2 api_test tinyvlm_shared)
  if(TARGET \${name})
    message(FATAL_ERROR "\${name} is a target")
  endif()
endforeach()
`,
  );
  run(cmake, ["-S", source, "-B", join(source, "build"), ...generator, `-DCMAKE_C_COMPILER=${cc}`]);
});

const noPkgConfig = spawnSync("pkg-config", ["--version"]).status !== 0 && "pkg-config is not here";

test(
  "a C compiler and pkg-config build the example, shared and static",
  { skip: noPkgConfig },
  () => {
    const strict = ["-std=c99", "-Wall", "-Wextra", "-pedantic", "-Werror"];
    const source = join(root, "examples", "c", "ask.c");
    const dynamic = join(folder, "ask-shared");
    run(cc, [...strict, source, ...pkgConfig(shared, "--cflags", "--libs"), "-o", dynamic]);
    const path = process.platform === "darwin" ? "DYLD_LIBRARY_PATH" : "LD_LIBRARY_PATH";
    assertAnswers(dynamic, { [path]: join(shared, "lib") });
    const standalone = join(folder, "ask-static");
    run(cc, [
      ...strict,
      source,
      ...pkgConfig(fixed, "--cflags", "--libs", "--static"),
      "-o",
      standalone,
    ]);
    assertAnswers(standalone);
  },
);

test("find_package builds the example, shared and static, with a C compiler alone", () => {
  for (const [prefix, library] of [
    [shared, "TinyVLM::tinyvlm"],
    [shared, "TinyVLM::static"],
    [fixed, "TinyVLM::tinyvlm"],
  ]) {
    const out = mkdtempSync(join(folder, "cmake-"));
    run(cmake, [
      "-S",
      join(root, "examples", "c"),
      "-B",
      out,
      ...generator,
      `-DCMAKE_PREFIX_PATH=${prefix}`,
      `-DASK_LIBRARY=${library}`,
      `-DCMAKE_C_COMPILER=${cc}`,
    ]);
    run(cmake, ["--build", out]);
    assertAnswers(join(out, "ask"));
  }
});
