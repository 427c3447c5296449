#!/usr/bin/env node
// npm test -- react-native: the package react-native-tiny-vlm as it is built, over a native module
// in JavaScript; its spec with React Native's codegen of the oldest and the newest version; its
// types with React Native's; its bundle with Metro's Babel preset and Hermes's compiler. What these
// are is pinned in tests-react-native/package-lock.json (200 MB, installed under
// build/react-native-clients).
import { cpSync, readdirSync, rmSync } from "node:fs";
import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { buildReactNative, reactNativePackage } from "./build-react-native.mjs";
import { setUpNodeModules } from "./setup/node-modules.mjs";
import { installClients } from "./setup/pinned-clients.mjs";
import { root } from "./toolchain.mjs";

const tests = join(root, "tests-react-native");
const folder = join(root, "build", "react-native-clients");

/** The package and an app's sources beside the clients, where imports find them. */
function place() {
  const installed = join(folder, "node_modules", "react-native-tiny-vlm");
  rmSync(installed, { recursive: true, force: true });
  cpSync(reactNativePackage, installed, { recursive: true });
  const app = join(folder, "app");
  rmSync(app, { recursive: true, force: true });
  cpSync(join(tests, "types"), join(app, "types"), { recursive: true });
  cpSync(join(tests, "image-picker"), join(app, "image-picker"), { recursive: true });
  cpSync(join(root, "mobile", "react-native", "example"), join(app, "example"), {
    recursive: true,
    filter: (path) => !path.endsWith("package.json"),
  });
}

try {
  await setUpNodeModules();
  installClients(tests, folder);
  await buildReactNative();
  place();
  const files = readdirSync(tests).filter((name) => name.endsWith(".test.mjs"));
  const { status, error } = spawnSync(
    process.execPath,
    ["--test", ...files.map((name) => join(tests, name))],
    { stdio: "inherit", cwd: root },
  );
  if (error) throw error;
  process.exitCode = status ?? 1;
} catch (error) {
  console.error(`test-react-native: ${error.message}`);
  process.exitCode = 1;
}
