#!/usr/bin/env node
// npm run release: makes sure that the tree can be released, builds and packs the package, tries
// the packed file in an empty folder, writes the bill of materials, and prints hashes and the
// commands that tag and publish. Publishes nothing itself. `-- --check` only makes the first
// checks, which take a second.
import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { changelogHeadings, checkVersions, packageVersion } from "./check-versions.mjs";
import { packPackage } from "./pack.mjs";
import { sha256 } from "./reproduce.mjs";
import { validate, writeBillOfMaterials } from "./sbom.mjs";
import { root, run } from "./toolchain.mjs";

const git = (...args) => run("git", args, { quiet: true }).trim();

/** What keeps this tree from being released, in words. `tags`: those that exist. */
export function obstacles({ status, branch, tags, version, headings }) {
  const found = [];
  if (status !== "") found.push(`uncommitted changes:\n${status}`);
  if (branch !== "main") found.push(`releases are made from main, this is ${branch}`);
  if (tags.includes(`v${version}`))
    found.push(`v${version} exists already: npm version --no-git-tag-version x.y.z`);
  const [newest] = headings;
  if (newest?.version !== version)
    found.push(
      `CHANGELOG.md begins with "${newest?.version ?? newest}": rename "Unreleased" to ` +
        `"${version} (yyyy-mm-dd)"`,
    );
  return found;
}

function checkTree() {
  const found = [
    ...obstacles({
      status: git("status", "--porcelain"),
      branch: git("rev-parse", "--abbrev-ref", "HEAD"),
      tags: git("tag").split("\n"),
      version: packageVersion(),
      headings: changelogHeadings(),
    }),
    ...checkVersions(),
  ];
  if (found.length > 0) throw new Error(`not ready:\n- ${found.join("\n- ")}`);
}

/** What the attribute `integrity` of a script with these bytes says. */
export const integrity = (bytes) => `sha384-${createHash("sha384").update(bytes).digest("base64")}`;

/** Installs a packed file in an empty folder and uses it, as a user does; throws where it fails. */
export function tryPacked(file) {
  const folder = mkdtempSync(join(tmpdir(), "tiny-vlm-release-"));
  const at = { cwd: folder, quiet: true };
  try {
    writeFileSync(join(folder, "package.json"), '{ "private": true, "type": "module" }\n');
    run("npm", ["install", "--no-audit", "--no-fund", "--offline", file], at);
    const image = join(root, "examples-web", "samples", "sample-1-1024.jpg");
    const answer = run("npx", ["--no-install", "tiny-vlm", "ask", image, "What is this?"], at);
    if (answer.trim() === "") throw new Error("the packed package answered nothing");
    console.log(`The packed package says: ${answer.trim()}`);
    const imported = 'import { TinyVLM } from "tiny-vlm"; console.log(typeof TinyVLM.load);';
    const kind = execFileSync(process.execPath, ["--input-type=module", "-e", imported], {
      cwd: folder,
      encoding: "utf8",
    });
    if (kind.trim() !== "function") throw new Error(`TinyVLM.load is a ${kind.trim()}`);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

async function release({ check }) {
  checkTree();
  const version = packageVersion();
  console.log(`${version} can be released from this tree.`);
  if (check) return;
  const { buildPackage } = await import("./build.mjs");
  await buildPackage();
  const folder = join(root, "build", "release-package");
  const { file, size, entryCount } = packPackage(folder);
  console.log(`${file}: ${(size / 1e6).toFixed(1)} MB, ${entryCount} files`);
  console.log(`sha256 ${sha256(readFileSync(file))}`);
  tryPacked(file);
  const materials = writeBillOfMaterials(folder);
  await validate(materials);
  console.log(`What it consists of (CycloneDX): ${materials}\n`);
  for (const name of ["tiny-vlm.iife.js", "index.mjs"])
    console.log(`dist/${name}: integrity="${integrity(readFileSync(join(root, "dist", name)))}"`);
  console.log(`
Run the whole of the tests, if that has not been done for this commit:
    npm test && npm test -- asan tsan
    npm run reproduce -- --against "${file}"
Then tag and publish (nothing has been published yet):
    git tag -a v${version} -m "Tiny-VLM ${version}"
    git push origin main v${version}
    npm publish "${file}"
Attach the packed file and its bill of materials to the release of the tag: who builds the tag can
compare (npm run reproduce -- --against <file>).`);
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  try {
    const { values } = parseArgs({ options: { check: { type: "boolean" } } });
    await release(values);
  } catch (error) {
    console.error(`release: ${error.message}`);
    process.exitCode = 1;
  }
}
