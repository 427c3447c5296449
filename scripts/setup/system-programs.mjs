// Programs that only the tests need and that come from the machine's own package archive: a
// Chromium for the browser tests, Clang for the second compiler.
import { existsSync } from "node:fs";
import { versionOf } from "../toolchain.mjs";
import { installSystemPackage } from "./apt.mjs";
import { present } from "./steps.mjs";

const browsers = [
  process.env.CHROMIUM,
  "/usr/bin/chromium",
  "/usr/bin/chromium-browser",
  "/usr/bin/google-chrome",
];

/** The Chromium that the browser tests start, or null. */
export function findChromium() {
  return browsers.find((path) => path && existsSync(path)) ?? null;
}

export async function setUpBrowser() {
  if (findChromium()) return present("browser", findChromium());
  await installSystemPackage("chromium");
}

export async function setUpClang() {
  const version = versionOf("clang++");
  if (version) return present("clang", version);
  // the sanitizers' runtime is a recommended package
  await installSystemPackage("clang", { recommended: true });
}
