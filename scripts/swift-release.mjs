#!/usr/bin/env node
// node scripts/swift-release.mjs: writes the tree that a release of the Swift package is, under
// build/swift-release, and prints the commands that tag it. Who depends on a package gets what its
// commit has: here the engine's sources and, unlike in a clone, those of its libraries, in the same
// places.
import { cpSync, existsSync, mkdirSync, readdirSync, rmSync } from "node:fs";
import { writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { packageVersion } from "./check-versions.mjs";
import { folderBytes, megabytes } from "./setup/steps.mjs";
import { setUp } from "./setup.mjs";
import { sourceNotices } from "./third-party.mjs";
import { depsDir, root, run } from "./toolchain.mjs";
import { trackedFiles } from "./tracked-files.mjs";

// Of the repository.
const own = [
  /^(Package\.swift|LICENSE|docs\/ios\.md)$/,
  /^cpp\/(?!cli|convert)[^/]+\/.*\.(h|cc|modulemap|md|json|txt)$/,
  /^cmake\/sentencepiece\//,
  /^mobile\/swift\/Sources\//,
];

// Of the libraries: what can be included, and what is compiled.
const spm = "sentencepiece/sentencepiece";
const libraries = {
  highway: [/^hwy\/[^/]*\.h$/, /^hwy\/ops\/.*\.h$/, /^hwy\/(abort|targets)\.cc$/],
  zlib: [/^[^/]*\.h$/, /^(adler32|inffast|inflate|inftrees|zutil)\.c$/],
  [spm]: [
    /^src\/(?!normalization_rule)[^/]*\.h$/, // which is for training
    /^src\/(?!.*(_test|_main|trainer|pretokenizer|builder|filesystem|init_test)).*\.cc$/,
    /^src\/builtin_pb\/.*\.(h|cc)$/,
    /^third_party\/(absl|darts_clone|esaxx|protobuf-lite)\/.*\.(h|cc|inc)$/,
  ],
};

function filesUnder(folder) {
  return readdirSync(folder, { withFileTypes: true, recursive: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath ?? entry.path, entry.name).slice(folder.length + 1));
}

const readme = (version) => `# TinyVLM ${version}

The Swift package of Tiny-VLM with everything that it is compiled from. It is made by
\`scripts/swift-release.mjs\` of the repository, where it is developed; see docs/ios.md.
`;

/** Writes the tree into `folder`, which is made anew; returns the paths of its files. */
export function releaseTree(folder) {
  const chosen = trackedFiles().filter((path) => own.some((pattern) => pattern.test(path)));
  for (const [library, patterns] of Object.entries(libraries)) {
    const from = join(depsDir, library);
    if (!existsSync(from)) throw new Error(`${from} is missing: npm run setup`);
    const found = filesUnder(from).filter((path) => patterns.some((p) => p.test(path)));
    chosen.push(...found.map((path) => join(".deps", library, path)));
  }
  rmSync(folder, { recursive: true, force: true });
  for (const path of chosen) {
    mkdirSync(dirname(join(folder, path)), { recursive: true });
    cpSync(join(root, path), join(folder, path));
  }
  writeFileSync(join(folder, "README.md"), readme(packageVersion()));
  writeFileSync(join(folder, "THIRD-PARTY-NOTICES.txt"), sourceNotices());
  return [...chosen, "README.md", "THIRD-PARTY-NOTICES.txt"].sort();
}

/** Makes a commit of the files in `folder`, which no branch names; returns its name. */
export function commitTree(folder, message) {
  const env = { ...process.env, GIT_INDEX_FILE: `${folder}.index` };
  rmSync(env.GIT_INDEX_FILE, { force: true });
  const git = (...args) => run("git", args, { env, quiet: true }).trim();
  git(`--work-tree=${folder}`, "add", "--all", "--force");
  const commit = git("commit-tree", git("write-tree"), "-m", message);
  rmSync(env.GIT_INDEX_FILE);
  return commit;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  await setUp(["engine-sources"]);
  const folder = join(root, "build", "swift-release");
  const version = packageVersion();
  const files = releaseTree(folder);
  console.log(`${folder}: ${files.length} files, ${megabytes(folderBytes(folder))}`);
  const commit = commitTree(folder, `TinyVLM ${version} for SwiftPM`);
  console.log(`
Commit ${commit}, without history. Nothing has been tagged or published yet:
    git tag swift-${version} ${commit}
    git push origin swift-${version}
SwiftPM takes that tag as a revision. For version rules ("from: ${version}") push the commit to a
repository of its own, under the tag ${version}.`);
}
