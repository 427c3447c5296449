// Emscripten: the machine's own emcc where it is new enough; otherwise Debian's packages of a newer
// suite, unpacked under .toolchain/emscripten and made to run from there. Nothing of the system is
// changed and nothing is installed: the programs are given the loader and the libraries that came
// with them.
//
// The folder cannot be moved afterwards (the loader's path is written into the programs); a moved
// checkout sets it up again.
import { spawnSync } from "node:child_process";
import {
  chmodSync,
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readlinkSync,
  renameSync,
  rmSync,
  symlinkSync,
} from "node:fs";
import { closeSync, openSync, readFileSync, readSync, writeFileSync } from "node:fs";
import { availableParallelism } from "node:os";
import { basename, dirname, join, resolve } from "node:path";
import {
  atLeast,
  emscriptenDir,
  installedEmscripten,
  oldestEmscripten,
  root,
  run,
  toolEnvironment,
  versionOf,
} from "../toolchain.mjs";
import { aptMissing, Suite } from "./apt.mjs";
import { compareWithLock, mergeUsr, unpackPackages } from "./deb-packages.mjs";
import { folderBytes, megabytes, present, step } from "./steps.mjs";

const suites = ["forky", "trixie"];
const lockPath = join(root, "scripts", "emscripten.lock.json");
const image = join(emscriptenDir, "root"); // the unpacked packages
const bin = join(emscriptenDir, "bin");
const stamp = join(emscriptenDir, "ready.json");
const usr = join(image, "usr");
const emscripten = join(usr, "share", "emscripten");

const machines = {
  amd64: { triple: "x86_64-linux-gnu", loader: "ld-linux-x86-64.so.2" },
  arm64: { triple: "aarch64-linux-gnu", loader: "ld-linux-aarch64.so.1" },
};

// Programs of LLVM that Emscripten starts; the others (100 MB) are not kept.
const llvmPrograms = [
  "clang",
  "clang-scan-deps",
  "lld",
  "llvm-ar",
  "llvm-cxxfilt",
  "llvm-dwarfdump",
  "llvm-dwp",
  "llvm-nm",
  "llvm-objcopy",
  "llvm-size",
  "llvm-symbolizer",
];
const indispensable = [
  "clang",
  "lld",
  "llvm-ar",
  "llvm-nm",
  "llvm-objcopy",
  "wasm-opt",
  "wasm-emscripten-finalize",
  "wasm-metadce",
];

// Of everything that apt would install with clang, a compiler for wasm needs the programs
// themselves, clang's own headers and shared libraries: no C library headers, no GCC, no binutils,
// no sanitizers, nothing of curl and Kerberos (an optional debug-symbol download of some tools).
function isNeeded(name, llvm) {
  const programs = [
    `clang-${llvm}`,
    `lld-${llvm}`,
    `llvm-${llvm}`,
    `llvm-${llvm}-linker-tools`,
    `libclang-common-${llvm}-dev`,
    "binaryen",
    "patchelf",
  ];
  if (programs.includes(name) || name === "zlib1g") return true;
  if (!name.startsWith("lib") || /-(dev|bin|data|common|db|extra)$/.test(name)) return false;
  return !unwantedLibraries.some((stem) => name.startsWith(`lib${stem}`));
}

const unwantedLibraries = [
  // GCC and binutils
  ...[
    "objc",
    "gc1",
    "gcc-1",
    "asan",
    "lsan",
    "tsan",
    "hwasan",
    "ubsan",
    "itm",
    "atomic",
    "gomp",
    "quadmath",
  ],
  ...["binutils", "ctf", "gprofng", "sframe", "jansson"],
  // LLVM's optional download of debug symbols
  ...[
    "curl",
    "brotli",
    "com-err",
    "nghttp",
    "ngtcp",
    "k5",
    "krb",
    "keyutils",
    "ssl",
    "gssapi",
    "unistring",
    "idn",
    "db5",
    "sasl",
    "ldap",
    "psl",
    "ssh",
  ],
  ...["p11", "gnutls", "nettle", "hogweed", "gmp", "tasn", "rtmp", "crypt"],
  // the C interface to clang, performance counters, Python
  ...["clang1", "pfm", "python", "readline"],
];

function filesUnder(folder) {
  const entries = readdirSync(folder, { withFileTypes: true, recursive: true });
  return entries
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath ?? entry.path, entry.name));
}

function isElf(path) {
  const bytes = Buffer.alloc(4);
  const file = openSync(path);
  readSync(file, bytes, 0, 4, 0);
  closeSync(file);
  return bytes.toString("latin1") === "\x7fELF";
}

function choosePackages(suite) {
  const about = suite.package("emscripten");
  const version = about && /^\d+\.\d+\.\d+/.exec(about.version)?.[0];
  if (!version || !atLeast(version, oldestEmscripten))
    throw new Error(
      `it has Emscripten ${version ?? "(none)"}, ${oldestEmscripten} or newer is wanted`,
    );
  const llvm = /\bclang-(\d+)/.exec(about.depends)?.[1];
  if (!llvm)
    throw new Error(
      `cannot tell which LLVM Emscripten ${version} of Debian ${suite.name} wants (${about.depends})`,
    );
  const closure = suite.closure([
    `clang-${llvm}`,
    `lld-${llvm}`,
    `llvm-${llvm}`,
    "binaryen",
    "patchelf",
  ]);
  // emscripten itself depends on Debian's Node; this one's own is used, so only its JavaScript
  // parser is taken along.
  return {
    version,
    llvm,
    packages: [
      "emscripten",
      "node-acorn",
      "node-xtend",
      ...closure.filter((name) => isNeeded(name, llvm)),
    ],
  };
}

function unpack(folder) {
  unpackPackages(folder, image);
  // Some packages still use /lib, which is a link to /usr/lib by now.
  mergeUsr(image, ["lib", "lib64"]);
  for (const name of ["docs", "media", "html", "test", "tests"])
    rmSync(join(emscripten, name), { recursive: true, force: true });
}

// Makes every program and library find its loader and its libraries under the image, and proves
// that it does.
function relocate(llvm, { triple, loader }) {
  const libraries = join(usr, "lib", triple);
  const llvmRoot = join(usr, "lib", `llvm-${llvm}`);
  const loaderPath = join(libraries, loader);
  for (const path of filesUnder(join(llvmRoot, "bin")))
    if (!llvmPrograms.includes(basename(path))) rmSync(path);
  rmSync(join(libraries, "gconv"), { recursive: true, force: true });

  const searched = [join(llvmRoot, "lib"), libraries, join(libraries, "binaryen")].join(":");
  // patchelf came with the packages and cannot be patched by itself while it runs: the loader
  // starts it.
  const patchelf = (args) =>
    run(loaderPath, ["--library-path", searched, join(usr, "bin", "patchelf"), ...args], {
      quiet: true,
    });
  const programs = [
    ...filesUnder(join(llvmRoot, "bin")),
    ...filesUnder(join(usr, "bin")).filter((path) => basename(path).startsWith("wasm")),
  ].filter(isElf);
  for (const path of programs)
    patchelf(["--set-interpreter", loaderPath, "--force-rpath", "--set-rpath", searched, path]);
  // A library with a search path of its own ignores that of the program: these get the same one.
  for (const path of filesUnder(join(usr, "lib")).filter(
    (name) => /\.so(\.|$)/.test(basename(name)) && isElf(name),
  )) {
    if (basename(path).startsWith("ld-linux")) continue;
    if (
      spawnSync(
        loaderPath,
        ["--library-path", searched, join(usr, "bin", "patchelf"), "--print-rpath", path],
        { encoding: "utf8" },
      ).stdout?.trim()
    ) {
      patchelf(["--force-rpath", "--set-rpath", searched, path]);
    }
  }
  for (const path of programs) {
    const { stdout, stderr } = spawnSync(loaderPath, ["--list", path], { encoding: "utf8" });
    const outside = (stdout + stderr)
      .split("\n")
      .filter((line) => line.trim() && !line.includes("linux-vdso") && !line.includes(image));
    if (outside.length === 0) continue;
    if (indispensable.includes(basename(path)))
      throw new Error(`${path} needs ${outside.map((line) => line.trim()).join("; ")}`);
    rmSync(path);
  }
  return llvmRoot;
}

// Emscripten's commands are shell scripts that look for the Python file beside them by `readlink -f
// $0`: without quotes, so that a folder with a space in its name is not found.
function quoteEntryPoints() {
  for (const name of readdirSync(emscripten)) {
    const path = join(emscripten, name);
    if (name.includes(".") || !lstatSync(path).isFile()) continue;
    const script = readFileSync(path, "utf8");
    const quoted = script.replaceAll("readlink -f $0)", 'readlink -f "$0")');
    if (quoted !== script) writeFileSync(path, quoted);
  }
}

// Emscripten's settings, where it finds them without any environment variable, and its commands in
// one bin folder.
function configure(llvmRoot) {
  // some packages bring their system libraries ready-built
  const shipped = join(emscripten, "cache");
  const cache = existsSync(join(shipped, "sysroot", "lib"))
    ? shipped
    : join(emscriptenDir, "cache");
  const settings = {
    EMSCRIPTEN_ROOT: emscripten,
    LLVM_ROOT: join(llvmRoot, "bin"),
    BINARYEN_ROOT: usr,
    NODE_JS: process.execPath,
    CACHE: cache,
    // Debian's patch appends these to the names of the programs
    LLVM_ADD_VERSION: "",
    CLANG_ADD_VERSION: "",
  };
  const config = join(emscripten, ".emscripten");
  rmSync(config, { force: true });
  writeFileSync(
    config,
    Object.entries(settings)
      .map(([key, value]) => `${key} = ${JSON.stringify(value)}\n`)
      .join(""),
  );
  // Emscripten's scripts import acorn as ES modules do: from a node_modules folder above them.
  if (!existsSync(join(usr, "share", "node_modules")))
    symlinkSync("nodejs", join(usr, "share", "node_modules"));
  mkdirSync(bin, { recursive: true });
  for (const name of [
    "emcc",
    "em++",
    "emar",
    "emranlib",
    "emnm",
    "emstrip",
    "emsize",
    "emcmake",
    "embuilder",
    "em-config",
    "emscan-deps",
  ]) {
    if (!existsSync(join(emscripten, name))) continue;
    // A script and not a link: emcc looks for the rest of itself beside the name it was called by.
    writeFileSync(join(bin, name), `#!/bin/sh\nexec '${join(emscripten, name)}' "$@"\n`);
    chmodSync(join(bin, name), 0o755);
  }
  for (const name of ["wasm-opt", "wasm-dis"])
    if (existsSync(join(usr, "bin", name))) symlinkSync(join(usr, "bin", name), join(bin, name));
}

// The Node that Emscripten starts is the one that runs the set-up, also after a change of versions.
function useThisNode() {
  const config = join(emscripten, ".emscripten");
  const text = readFileSync(config, "utf8");
  const wanted = text.replace(/^NODE_JS = .*$/m, `NODE_JS = ${JSON.stringify(process.execPath)}`);
  if (wanted !== text) writeFileSync(config, wanted);
}

// Links to programs that were not kept.
function removeDeadLinks(folder) {
  for (const entry of readdirSync(folder, { withFileTypes: true })) {
    const path = join(folder, entry.name);
    if (entry.isSymbolicLink() && !existsSync(resolve(dirname(path), readlinkSync(path))))
      rmSync(path);
  }
}

async function installFrom(suiteName) {
  const architecture = run("dpkg", ["--print-architecture"], { quiet: true }).trim();
  const machine = machines[architecture];
  if (!machine)
    throw new Error(
      `no private Emscripten for ${architecture}; put an emcc ${oldestEmscripten} or newer on PATH`,
    );
  const suite = new Suite(suiteName);
  await suite.open();
  const { version, llvm, packages } = choosePackages(suite);
  const debs = join(emscriptenDir, "debs");
  rmSync(emscriptenDir, { recursive: true, force: true });
  await step(
    `Emscripten ${version} with LLVM ${llvm}: ${packages.length} packages of Debian ${suiteName}`,
    () => {
      suite.download(packages, debs);
      return compareWithLock(lockPath, suite.name, debs);
    },
  );
  await step("unpack and relocate", () => {
    unpack(debs);
    const llvmRoot = relocate(llvm, machine);
    removeDeadLinks(join(llvmRoot, "bin"));
    removeDeadLinks(join(usr, "bin"));
    quoteEntryPoints();
    configure(llvmRoot);
    rmSync(debs, { recursive: true });
    return `${megabytes(folderBytes(image))} on disk`;
  });
  const runs = versionOf(join(bin, "emcc"), toolEnvironment());
  if (!runs) throw new Error("the unpacked emcc does not start");
  return { version, suite: suiteName };
}

// A program that touches what our modules use, so that linking it builds the system libraries they
// need, each once.
const probe = `
#include <emscripten/bind.h>
#include <cstdio>
#include <map>
#include <memory>
#include <string>
#include <cmath>
#include <mutex>
std::mutex guard;
std::string Greet(const std::string& name) {
  std::lock_guard<std::mutex> lock(guard);
  std::map<std::string, int> counts{{name, 1}};
  auto copy = std::make_shared<std::string>(name);
  return *copy + std::to_string(counts.size() + std::sin(counts.size()));
}
EMSCRIPTEN_BINDINGS(probe) { emscripten::function("greet", &Greet); }
int main(int, char** argv) { return std::printf("%s", Greet(argv[0]).c_str()) < 0; }
`;

const engineFlags = [
  "-Oz",
  "-fno-exceptions",
  "-fno-rtti",
  "-DEMSCRIPTEN_HAS_UNBOUND_TYPE_NAMES=0",
  "-lembind",
  "-sALLOW_MEMORY_GROWTH",
];
const testFlags = [
  "-O3",
  "-fwasm-exceptions",
  "-lembind",
  "-sALLOW_MEMORY_GROWTH",
  "-sNODERAWFS",
  "-sEXIT_RUNTIME",
];
const toolsFlags = ["-sMALLOC=emmalloc"];
const threadFlags = ["-pthread", "-Wno-pthreads-mem-growth"];
const libraryGroups = {
  "single thread": [engineFlags, [...engineFlags, ...toolsFlags]],
  threads: [
    [...engineFlags, ...threadFlags],
    [...engineFlags, ...toolsFlags, ...threadFlags],
  ],
  tests: [testFlags, ["-O3", "-sNODERAWFS", "-sALLOW_MEMORY_GROWTH", "-lembind"]],
};

async function buildSystemLibraries() {
  const folder = join(emscriptenDir, "probe");
  mkdirSync(folder, { recursive: true });
  const source = join(folder, "probe.cc");
  writeFileSync(source, probe);
  const env = { ...toolEnvironment(), EMCC_CORES: String(availableParallelism()) };
  await step("Emscripten's system libraries", async () => {
    for (const [group, links] of Object.entries(libraryGroups)) {
      await step(group, () => {
        for (const flags of links)
          run("em++", [source, "-std=c++20", ...flags, "-o", join(folder, "probe.mjs")], {
            env,
            quiet: true,
          });
      });
    }
  });
  rmSync(folder, { recursive: true });
}

/** Makes `emcc` available: see toolEnvironment(). */
export async function setUpEmscripten() {
  const own = installedEmscripten();
  if (own) return present("Emscripten", `${own.version} in ${own.folder}`);
  const ready = existsSync(stamp) ? JSON.parse(readFileSync(stamp, "utf8")) : null;
  if (ready?.folder === emscriptenDir) {
    useThisNode();
    return present("Emscripten", `${ready.version} (private, from Debian ${ready.suite})`);
  }
  const missing = aptMissing();
  if (missing)
    throw new Error(
      `no Emscripten ${oldestEmscripten} or newer on PATH or in EMSDK, and none can be fetched: ${missing}`,
    );
  await step("Emscripten", async () => {
    const failures = [];
    for (const suite of suites) {
      try {
        const installed = await installFrom(suite);
        await buildSystemLibraries();
        writeFileSync(
          `${stamp}.partial`,
          `${JSON.stringify({ ...installed, folder: emscriptenDir })}\n`,
        );
        renameSync(`${stamp}.partial`, stamp);
        return `${megabytes(folderBytes(emscriptenDir))} on disk`;
      } catch (error) {
        failures.push(`Debian ${suite}: ${error.message}`);
        console.log(`  note: ${failures.at(-1)}`);
      }
    }
    throw new Error(`Emscripten could not be set up (${failures.join("; ")})`);
  });
}
