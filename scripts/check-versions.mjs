// The version is written once, in package.json; CMakeLists.txt reads it there. What repeats it has
// to agree: package-lock.json, the package for React Native, Package.swift, the Android library's
// two builds, and the newest release that CHANGELOG.md has, if any. The two builds agree in what
// they are built with, too.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { root } from "./toolchain.mjs";

const read = (name) => readFileSync(join(root, name), "utf8");

/** The version of package.json. */
export function packageVersion() {
  return JSON.parse(read("package.json")).version;
}

/** The headings of CHANGELOG.md, newest first: "Unreleased" or { version, date }. */
export function changelogHeadings(text = read("CHANGELOG.md")) {
  return [...text.matchAll(/^## (.+)$/gm)].map(([, heading]) => {
    const [, version, date] = /^(\d+\.\d+\.\d+) \((\d{4}-\d{2}-\d{2})\)$/.exec(heading) ?? [];
    return version ? { version, date } : heading;
  });
}

/** What disagrees in mobile/android. */
function androidVersions(version) {
  const [pom, gradle, catalogue] = ["pom.xml", "build.gradle.kts", "gradle/libs.versions.toml"].map(
    (name) => read(join("mobile", "android", name)),
  );
  const found = (text, pattern) => pattern.exec(text)?.[1];
  const wrong = [];
  const compare = (what, here, wanted) => {
    if (here !== wanted) wrong.push(`mobile/android/${what} says ${here}, not ${wanted}`);
  };
  compare("pom.xml", found(pom, /^ {2}<version>(.*)<\/version>$/m), version);
  compare("build.gradle.kts", found(gradle, /^version = "(.*)"$/m), version);
  for (const name of ["kotlin", "coroutines"]) {
    const inPom = found(pom, new RegExp(`<${name}\\.version>(.*)</`));
    const inGradle = found(catalogue, new RegExp(`^${name} = "(.*)"$`, "m"));
    compare(`gradle/libs.versions.toml: ${name}`, inGradle, inPom);
  }
  return wrong;
}

/** What disagrees. */
export function checkVersions() {
  const version = packageVersion();
  const wrong = [];
  if (!/^\d+\.\d+\.\d+$/.test(version)) wrong.push(`package.json: ${version} is no x.y.z version`);
  const locked = JSON.parse(read("package-lock.json")).packages[""].version;
  if (locked !== version)
    wrong.push(`package-lock.json says ${locked}, package.json ${version}: run \`npm install\``);
  const { version: native } = JSON.parse(read(join("mobile", "react-native", "package.json")));
  if (native !== version)
    wrong.push(`mobile/react-native/package.json says ${native}, package.json ${version}`);
  if (/\bVERSION \d+\.\d+/.test(/^project\([^)]*\)/m.exec(read("CMakeLists.txt"))[0]))
    wrong.push("CMakeLists.txt: project() names a version; it comes from package.json");
  wrong.push(...androidVersions(version));
  const [, inSwift] = /^let version = "(.*)"$/m.exec(read("Package.swift")) ?? [];
  if (inSwift !== version)
    wrong.push(`Package.swift says ${inSwift ?? "no version"}, package.json ${version}`);
  const headings = changelogHeadings();
  for (const heading of headings)
    if (typeof heading === "string" && heading !== "Unreleased")
      wrong.push(`CHANGELOG.md: "${heading}" is neither "Unreleased" nor "x.y.z (yyyy-mm-dd)"`);
  const newest = headings.find((heading) => typeof heading !== "string");
  if (newest && newest.version !== version)
    wrong.push(`CHANGELOG.md: the newest release is ${newest.version}, package.json ${version}`);
  return wrong;
}
