#!/usr/bin/env node
// Builds build/react-native/, the npm package react-native-tiny-vlm: the sources of the SDK that
// run in React Native, bundled with those of mobile/react-native/, and its native sources.
import { cpSync, mkdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";
import { emitDeclarations } from "./declarations.mjs";
import { root } from "./toolchain.mjs";

const source = join(root, "mobile", "react-native");

/** The folder of the built package. */
export const reactNativePackage = join(root, "build", "react-native");

// What is the same in the repository and in the package. Of src/ codegen wants the spec, and no
// other file: what else lies beside it would be read, too.
const copied = [
  "package.json",
  "README.md",
  "react-native-tiny-vlm.podspec",
  "android",
  "ios",
  join("src", "NativeTinyVLM.ts"),
];

/** Builds the package. */
export async function buildReactNative() {
  rmSync(reactNativePackage, { recursive: true, force: true });
  mkdirSync(reactNativePackage, { recursive: true });
  await build({
    entryPoints: [join(source, "src", "index.ts")],
    outfile: join(reactNativePackage, "dist", "index.js"),
    bundle: true,
    // Metro takes both; Jest in apps does not compile packages of this name.
    format: "cjs",
    platform: "neutral",
    // What Metro's Babel preset leaves alone or compiles; private members are not among it.
    target: ["es2020"],
    charset: "utf8",
    legalComments: "none",
    logLevel: "warning",
    external: ["react", "react-native"],
    // The hook of js-sdk/src/adapters imports the model from the web's package.
    alias: { "tiny-vlm": join(source, "src", "tiny-vlm.ts") },
  });
  await emitDeclarations(
    join(reactNativePackage, "dist", "types"),
    join("mobile", "react-native", "tsconfig.types.json"),
    [join("mobile", "react-native", "src", "index.d.ts")],
  );
  for (const name of copied)
    cpSync(join(source, name), join(reactNativePackage, name), { recursive: true });
  cpSync(join(root, "LICENSE"), join(reactNativePackage, "LICENSE"));
}

if (process.argv[1] === fileURLToPath(import.meta.url)) await buildReactNative();
