// The references of the two APIs for phones, as pages: the Kotlin library's by Dokka, the Swift
// package's by DocC, from the comments in the sources.
import { mkdirSync, readdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { setUpSwift } from "../setup/swift.mjs";
import { installedSwift, runSwift } from "../swift.mjs";
import { root, runShown, toolEnvironment } from "../toolchain.mjs";

const output = join("build", "mobile-docs");

// What compilers add to a class is nobody's to document.
const generated = /\/(values|valueOf|entries)\/#|\.Companion\//;

/** Names of the Kotlin API without a comment, from what Dokka printed. */
export const undocumented = (printed) =>
  [...printed.matchAll(/Undocumented: (\S+)/g)]
    .map(([, name]) => name)
    .filter((name) => !generated.test(name));

/**
 * Writes build/mobile-docs/kotlin (Maven; Dokka is about 115 MB). Fails where a comment is missing.
 */
export async function kotlinDocs() {
  const folder = join(root, output, "kotlin");
  rmSync(folder, { recursive: true, force: true });
  const { status, output: printed } = await runShown(
    "mvn",
    [
      ...["--batch-mode", "--no-transfer-progress", "-P", "docs"],
      ...["-f", join(root, "mobile", "android", "pom.xml")],
      ...[`-DdocsFolder=${folder}`, "dokka:dokka"],
    ],
    { env: toolEnvironment() },
  );
  if (status !== 0) throw new Error(`Dokka ended with status ${status}`);
  const missing = undocumented(printed);
  if (missing.length > 0) throw new Error(`without a comment: ${missing.join(", ")}`);
  console.log(join(folder, "index.html"));
}

async function swiftTool(program, args) {
  const { status } = await runSwift(program, args);
  if (status !== 0) throw new Error(`${program} ended with status ${status}`);
}

/** Writes build/mobile-docs/swift, pages for any server of files. Fails at a broken link. */
export async function swiftDocs() {
  if (!installedSwift()) await setUpSwift();
  const sources = join("mobile", "swift", "Sources", "TinyVLM");
  const symbols = join(output, "symbols");
  const folder = join(output, "swift");
  for (const made of [symbols, folder]) rmSync(join(root, made), { recursive: true, force: true });
  mkdirSync(join(root, symbols), { recursive: true });
  await swiftTool("swiftc", [
    ...["-swift-version", "6", "-module-name", "TinyVLM", "-parse-as-library"],
    ...["-I", join("cpp", "api"), "-emit-module"],
    ...["-emit-module-path", join(symbols, "TinyVLM.swiftmodule")],
    ...["-emit-symbol-graph", "-emit-symbol-graph-dir", symbols],
    ...["-symbol-graph-minimum-access-level", "public"],
    ...readdirSync(join(root, sources))
      .filter((name) => name.endsWith(".swift"))
      .map((name) => join(sources, name)),
  ]);
  await swiftTool("docc", [
    ...["convert", join(sources, "TinyVLM.docc"), "--warnings-as-errors"],
    ...["--fallback-display-name", "TinyVLM"],
    ...["--fallback-bundle-identifier", "dev.tiny-vlm.TinyVLM"],
    ...["--additional-symbol-graph-dir", symbols],
    ...["--transform-for-static-hosting", "--output-path", folder],
  ]);
  console.log(join(root, folder, "documentation", "tinyvlm", "index.html"));
}
