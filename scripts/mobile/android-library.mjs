// libtinyvlm.so for Android, without the NDK, and what is checked of it without running it.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { setUp } from "../setup.mjs";
import { step } from "../setup/steps.mjs";
import { root, toolEnvironment } from "../toolchain.mjs";
import { androidAbis, androidSymbols, makeAndroidSysroot } from "./android-sysroot.mjs";
import { buildSharedLibrary, listedExports } from "./cross-build.mjs";
import { countInstructions, readElf } from "./elf.mjs";

const buildFolder = (abi) => join(root, "build", `android-${abi}`);

/** Where the library of an ABI is built. */
export const androidLibrary = (abi) => join(buildFolder(abi), "libtinyvlm.so");

/** Builds the library of each ABI: the C interface and the Kotlin library's natives. */
export async function buildAndroidLibraries(abis = Object.keys(androidAbis)) {
  await setUp(["tools", "engine-sources", "zig"]);
  for (const abi of abis) {
    await step(`libtinyvlm.so for ${abi}`, () => {
      const folder = buildFolder(abi);
      const env = { ...toolEnvironment(), ...makeAndroidSysroot(abi, join(folder, "sysroot")) };
      buildSharedLibrary(
        "android",
        folder,
        [`-DTINYVLM_ANDROID_ABI=${abi}`, "-DTINYVLM_JNI=ON"],
        env,
      );
    });
  }
}

/** Bytes that the library of arm64 may have, and compressed. */
export const sizeLimits = { bytes: 1_900_000, gzip: 900_000 };

/**
 * What is wrong with a built library, in sentences; empty where nothing is. `measures` receives its
 * sizes and counts.
 */
export function checkAndroidLibrary(abi, measures = {}) {
  const file = readFileSync(androidLibrary(abi));
  const library = readElf(file);
  const known = androidSymbols();
  const problems = [];
  const expect = (holds, problem) => void (holds || problems.push(`${abi}: ${problem}`));
  const list = (names) => names.join(", ");

  expect(library.abi === abi, `is built for ${library.abi}`);
  expect(library.soname === "libtinyvlm.so", `soname is ${library.soname}, not libtinyvlm.so`);
  const otherLibraries = library.needed.filter((name) => !known[name]);
  expect(otherLibraries.length === 0, `needs ${list(otherLibraries)}`);
  const offered = new Set(library.needed.flatMap((name) => known[name] ?? []));
  const missing = library.imports.filter((name) => !offered.has(name));
  expect(missing.length === 0, `API level 24 does not offer ${list(missing)}`);
  expect(
    library.loadAlignments.every((alignment) => alignment === 16384),
    `segments are aligned to ${list(library.loadAlignments)} bytes, not 16384`,
  );
  expect(!library.hasTextRelocations, "has text relocations");
  const wanted = ["exports.txt", "exports-jni.txt"].flatMap(listedExports);
  const lacking = wanted.filter((name) => !library.exports.includes(name));
  expect(lacking.length === 0, `does not export ${list(lacking)}`);
  const more = library.exports.filter((name) => !wanted.includes(name));
  expect(more.length === 0, `exports ${list(more)}`);

  const gzip = gzipSync(file, { level: 9 }).length;
  Object.assign(measures, { bytes: file.length, gzip, imports: library.imports });
  if (abi === "arm64-v8a") {
    expect(file.length <= sizeLimits.bytes, `has ${file.length} bytes, not ${sizeLimits.bytes}`);
    expect(gzip <= sizeLimits.gzip, `has ${gzip} bytes compressed, not ${sizeLimits.gzip}`);
    for (const instruction of ["sdot", "smmla"]) {
      measures[instruction] = countInstructions(library.code, instruction);
      expect(measures[instruction] > 0, `no ${instruction} instruction in it`);
    }
  }
  return problems;
}
