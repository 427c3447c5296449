#!/usr/bin/env node
// npm run mobile -- part...: the native libraries for phones, built and checked on this machine
// without an NDK, Xcode or a phone. docs/mobile-native.md says what that proves.
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import {
  androidLibrary,
  buildAndroidLibraries,
  checkAndroidLibrary,
} from "./mobile/android-library.mjs";
import { androidAbis } from "./mobile/android-sysroot.mjs";
import {
  appleLibrary,
  appleTargets,
  buildAppleLibraries,
  checkAppleLibrary,
} from "./mobile/apple-library.mjs";
import { kotlinDocs, swiftDocs } from "./mobile/api-docs.mjs";
import { root, run } from "./toolchain.mjs";

/** Builds the Android libraries. */
async function so() {
  await buildAndroidLibraries();
  for (const abi of Object.keys(androidAbis)) console.log(androidLibrary(abi));
}

// Runs `checkLibrary` for each name, shows what it measured and the problems, and returns these.
function checkEach(names, checkLibrary) {
  const problems = [];
  for (const name of names) {
    const measures = {};
    problems.push(...checkLibrary(name, measures));
    const { imports, ...numbers } = measures;
    const facts = Object.entries(numbers).map(([fact, number]) => `${fact} ${number}`);
    console.log(`${name}: ${facts.join(", ")}, ${imports.length} functions of the system`);
  }
  for (const problem of problems) console.error(problem);
  return problems;
}

/** Builds them and checks their files; the problems found, as sentences. */
export async function check() {
  await buildAndroidLibraries();
  return checkEach(Object.keys(androidAbis), checkAndroidLibrary);
}

/** Likewise the libraries for Apple's systems, or those of `triples`. */
export async function checkApple(triples = Object.keys(appleTargets)) {
  await buildAppleLibraries(triples);
  return checkEach(triples, checkAppleLibrary);
}

const refuse = (problems) => {
  if (problems.length > 0) throw new Error("the libraries are not as they should be");
};

/** Maven's arguments for running the arm64 library in the emulator. */
export const emulatorArguments = () => [
  "-B",
  "-ntp",
  ...["-f", join(root, "mobile", "android", "emulate", "pom.xml")],
  `-DbuildFolder=${join(root, "build", "android-emulator")}`,
  `-Dtinyvlm.library=${androidLibrary("arm64-v8a")}`,
  `-Dtinyvlm.repository=${root}`,
  "test",
];

const parts = {
  so: { about: "libtinyvlm.so for Android, both architectures", work: so },
  check: {
    about: "what these files need, export and weigh",
    work: async () => refuse(await check()),
  },
  emulate: {
    about: "the arm64 one answers in an emulator with Android 6's C library (Maven)",
    work: async () => {
      await buildAndroidLibraries(["arm64-v8a"]);
      run("mvn", emulatorArguments());
    },
  },
  "kotlin-docs": {
    about: "build/mobile-docs/kotlin, the reference of the Kotlin library (Maven, Dokka)",
    work: kotlinDocs,
  },
  "swift-docs": {
    about: "build/mobile-docs/swift, the reference of the Swift package (Swift, DocC)",
    work: swiftDocs,
  },
  ios: {
    about: "libtinyvlm.dylib for iOS on arm64, linked by zig and checked; not for users",
    work: async () => {
      const [triple] = Object.keys(appleTargets);
      refuse(await checkApple([triple]));
      console.log(appleLibrary(triple));
    },
  },
  apple: {
    about: "the same for the simulator, Mac Catalyst and macOS, too",
    work: async () => refuse(await checkApple()),
  },
};

async function main(names) {
  const unknown = names.filter((name) => !parts[name]);
  if (names.length === 0 || unknown.length > 0) {
    const known = Object.entries(parts).map(([name, { about }]) => `  ${name}: ${about}`);
    throw new Error(`name a part:\n${known.join("\n")}`);
  }
  for (const name of names) await parts[name].work();
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  await main(process.argv.slice(2)).catch((error) => {
    console.error(`mobile: ${error.message}`);
    process.exitCode = 1;
  });
}
