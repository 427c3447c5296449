// libtinyvlm.dylib for Apple's systems, compiled and linked by zig without a Mac or Xcode, and what
// is checked of the files. Nothing runs, and no user gets these files: docs/ios.md says what a
// success tells.
import { spawnSync } from "node:child_process";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { setUp } from "../setup.mjs";
import { zigDir, zigEnvironment, zigProgram } from "../setup/cross-tools.mjs";
import { step } from "../setup/steps.mjs";
import { root, run, toolEnvironment } from "../toolchain.mjs";
import { buildSharedLibrary, listedExports, writeZigLibc } from "./cross-build.mjs";
import { countInstructions } from "./elf.mjs";
import { readMachO } from "./macho.mjs";

/**
 * What is built, by the triples of scripts/xcframework.sh: zig's name of the target; platform,
 * oldest system and processor, as the file has to name them; `stub`, where zig lacks a list of the
 * system's functions: how one calls the target.
 */
export const appleTargets = {
  "arm64-apple-ios15.0": {
    zig: "aarch64-ios.15.0",
    ...{ platform: "iOS", oldest: "15.0", cpu: "arm64", stub: "arm64-ios" },
  },
  "arm64-apple-ios15.0-simulator": {
    zig: "aarch64-ios.15.0-simulator",
    ...{ platform: "iOS simulator", oldest: "15.0", cpu: "arm64", stub: "arm64-ios-simulator" },
  },
  "arm64-apple-ios15.0-macabi": {
    zig: "aarch64-maccatalyst.15.0",
    ...{ platform: "Mac Catalyst", oldest: "15.0", cpu: "arm64" },
  },
  "arm64-apple-macos12.0": {
    zig: "aarch64-macos.12.0",
    ...{ platform: "macOS", oldest: "12.0", cpu: "arm64" },
  },
  "x86_64-apple-macos12.0": {
    zig: "x86_64-macos.12.0",
    ...{ platform: "macOS", oldest: "12.0", cpu: "x86_64" },
  },
};

const buildFolder = (triple) => join(root, "build", `apple-${triple}`);

/** Where the library for a triple is built. */
export const appleLibrary = (triple) => join(buildFolder(triple), "libtinyvlm.dylib");

// For a system that zig cannot link for as it is: its headers and the list of libSystem's functions
// are those that zig has of macOS. Returns the name of the file that tells zig so.
function makeSdk(folder, { stub, oldest }) {
  const sdk = join(folder, "sdk");
  mkdirSync(join(sdk, "usr", "lib"), { recursive: true });
  writeFileSync(join(sdk, "SDKSettings.json"), JSON.stringify({ Version: oldest }));
  const macos = readFileSync(join(zigDir, "lib", "libc", "darwin", "libSystem.tbd"), "latin1");
  const functions = macos.replaceAll("arm64e-macos", stub);
  for (const path of [["libSystem.tbd"], ["usr", "lib", "libSystem.tbd"]])
    writeFileSync(join(sdk, ...path), functions);
  const headers = join(zigDir, "lib", "libc", "include", "any-darwin-any");
  const file = join(sdk, "libc.txt");
  writeZigLibc(file, {
    include_dir: headers,
    sys_include_dir: headers,
    crt_dir: sdk,
    darwin_sdk_dir: sdk,
  });
  return file;
}

// zig links its own libc++ into the library, whose operators new and delete are visible whatever
// the visibility of everything else is: the same source, compiled without that exception. Apple's
// libc++ is a library of the system, so that no build by Xcode has this problem.
function compileOperators(folder, { zig }, env) {
  const object = join(folder, "operators.o");
  const [libcxx, libcxxabi] = ["libcxx", "libcxxabi"].map((name) => join(zigDir, "lib", name));
  run(
    zigProgram,
    [
      ...["c++", "-target", zig, "-O2", "-g0", "-DNDEBUG", "-fno-sanitize=undefined"],
      ...["-fvisibility=hidden", "-fvisibility-global-new-delete=force-hidden"],
      ...["-D_LIBCPP_BUILDING_LIBRARY", "-D_LIBCXXABI_BUILDING_LIBRARY"],
      ...["-I", join(libcxx, "src"), "-I", join(libcxxabi, "include")],
      ...["-c", join(libcxxabi, "src", "stdlib_new_delete.cpp"), "-o", object],
    ],
    { env, quiet: true },
  );
  return object;
}

// process.env for zig as it compiles for a triple.
function compilerEnvironment(triple) {
  const env = zigEnvironment(toolEnvironment());
  delete env.ZIG_LIBC;
  const target = appleTargets[triple];
  if (target.stub) env.ZIG_LIBC = makeSdk(buildFolder(triple), target);
  return env;
}

/** Builds the C interface's library for each triple. */
export async function buildAppleLibraries(triples = Object.keys(appleTargets)) {
  await setUp(["tools", "engine-sources", "zig"]);
  for (const triple of triples) {
    await step(`libtinyvlm.dylib for ${triple}`, () => {
      const target = appleTargets[triple];
      const folder = buildFolder(triple);
      mkdirSync(folder, { recursive: true });
      const env = compilerEnvironment(triple);
      const settings = [
        `-DTINYVLM_ZIG_TARGET=${target.zig}`,
        `-DTINYVLM_ZIG_OPERATORS=${compileOperators(folder, target, env)}`,
      ];
      buildSharedLibrary("apple", folder, settings, env);
    });
  }
}

/** Bytes that a library may have, and compressed, by processor. */
export const appleSizeLimits = {
  arm64: { bytes: 1_700_000, gzip: 750_000 },
  x86_64: { bytes: 1_800_000, gzip: 800_000 },
};

// Functions of C that Apple wants a reason for in an app's privacy manifest, by category.
const reasonsWanted = {
  NSPrivacyAccessedAPICategoryFileTimestamp: [
    ...["stat", "fstat", "fstatat", "lstat", "getattrlist", "getattrlistbulk", "getattrlistat"],
    "fgetattrlist",
  ],
  NSPrivacyAccessedAPICategorySystemBootTime: ["mach_absolute_time"],
  NSPrivacyAccessedAPICategoryDiskSpace: ["statfs", "statvfs", "fstatfs", "fstatvfs"],
};

// What zig's linker adds to the names of a library; Apple's keeps them to itself.
const namesOfLinker = ["___dso_handle", "__mh_dylib_header"];

/** The categories of functions that the Swift package's privacy manifest gives reasons for. */
export function privacyCategories() {
  const manifest = readFileSync(
    join(root, "mobile", "swift", "Sources", "TinyVLM", "PrivacyInfo.xcprivacy"),
    "utf8",
  );
  return [...manifest.matchAll(/<string>(NSPrivacyAccessedAPICategory\w+)<\/string>/g)].map(
    ([, name]) => name,
  );
}

// Functions that came after the oldest systems, and what the compiler says of their use.
const newerFunctions = {
  thread_resume2: {
    code: "#include <mach/mach.h>\nint Newer() { return thread_resume2(0); }\n",
    refusal: /error: 'thread_resume2' is only available on .* 26\.4 or newer/,
  },
  "std::to_chars of a double": {
    code: "#include <charconv>\nchar* Newer(char* at) { return std::to_chars(at, at + 9, 1.5).ptr; }\n",
    refusal: /error: 'to_chars' is unavailable: introduced in .* 1[36]\.3/,
  },
};

// Compiles each as the library was compiled; the names of those that were not refused. Tells that
// the library's own sources would have been.
function acceptedNewerFunctions(triple) {
  const folder = buildFolder(triple);
  const commands = JSON.parse(readFileSync(join(folder, "compile_commands.json"), "utf8"));
  const { command } = commands.find(({ file }) => file.endsWith("/cpp/base/json.cc"));
  const compiler = command.slice(0, command.lastIndexOf(" -o "));
  const source = join(folder, "newer.cc");
  return Object.entries(newerFunctions)
    .filter(([, { code, refusal }]) => {
      writeFileSync(source, code);
      const { stderr } = spawnSync("sh", ["-c", `${compiler} -fsyntax-only -c newer.cc`], {
        ...{ cwd: folder, encoding: "utf8", env: compilerEnvironment(triple) },
      });
      return !refusal.test(stderr);
    })
    .map(([name]) => name);
}

/**
 * What is wrong with a built library, in sentences; empty where nothing is. `measures` receives its
 * sizes and counts.
 */
export function checkAppleLibrary(triple, measures = {}) {
  const file = readFileSync(appleLibrary(triple));
  const library = readMachO(file);
  const target = appleTargets[triple];
  const problems = [];
  const expect = (holds, problem) => void (holds || problems.push(`${triple}: ${problem}`));
  const list = (names) => names.join(", ");

  for (const fact of ["cpu", "platform", "oldest"])
    expect(library[fact] === target[fact], `${fact} is ${library[fact]}, not ${target[fact]}`);
  const [, abi] = /^#define TVLM_ABI_VERSION (\d+)$/m.exec(
    readFileSync(join(root, "cpp", "api", "tinyvlm.h"), "utf8"),
  );
  const installName = `@rpath/libtinyvlm.${abi}.dylib`;
  expect(
    library.installName === installName,
    `install name is ${library.installName}, not ${installName}`,
  );
  const otherLibraries = library.needed.filter((name) => name !== "/usr/lib/libSystem.B.dylib");
  expect(otherLibraries.length === 0, `needs ${list(otherLibraries)}`);
  const wanted = listedExports("exports.txt").map((name) => `_${name}`);
  for (const [kind, names] of Object.entries({
    "exports for dyld": library.exports,
    "external symbols": library.visible,
  })) {
    const lacking = wanted.filter((name) => !names.includes(name));
    expect(lacking.length === 0, `${kind}: ${list(lacking)} missing`);
    const more = names.filter((name) => ![...wanted, ...namesOfLinker].includes(name));
    expect(more.length === 0, `${kind}: ${list(more)} too many`);
  }
  for (const problem of library.textRelocations) expect(false, problem);

  // On x86-64 some names carry the form of their structures, as in fstat$INODE64.
  const imports = library.imports.map((name) => name.replace(/^_/, "").replace(/\$.*/, ""));
  const declared = privacyCategories();
  for (const [category, functions] of Object.entries(reasonsWanted)) {
    const used = functions.filter((name) => imports.includes(name));
    expect(
      used.length === 0 || declared.includes(category),
      `calls ${list(used)}, for which PrivacyInfo.xcprivacy gives no reason (${category})`,
    );
  }

  const accepted = acceptedNewerFunctions(triple);
  expect(
    accepted.length === 0,
    `the compiler takes ${list(accepted)}, newer than ${target.oldest}`,
  );

  const gzip = gzipSync(file, { level: 9 }).length;
  Object.assign(measures, { bytes: file.length, gzip, imports: library.imports });
  const limits = appleSizeLimits[target.cpu];
  expect(file.length <= limits.bytes, `has ${file.length} bytes, not ${limits.bytes}`);
  expect(gzip <= limits.gzip, `has ${gzip} bytes compressed, not ${limits.gzip}`);
  // Processors of Apple start nothing on a Mac that nobody signed, were it only without a name.
  if (target.platform === "macOS" && target.cpu === "arm64")
    expect(library.signed, "has no signature");
  if (target.cpu === "arm64")
    for (const instruction of ["sdot", "smmla"]) {
      measures[instruction] = countInstructions(library.code, instruction);
      expect(measures[instruction] > 0, `no ${instruction} instruction in it`);
    }
  return problems;
}
