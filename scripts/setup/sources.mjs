// The libraries' sources: each archive of deps.lock.json is fetched, its hash checked, and unpacked
// into .deps/<name>.
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { depsDir, root, run, toolchainDir } from "../toolchain.mjs";
import { aptMissing, Suite } from "./apt.mjs";
import { runPip } from "./build-tools.mjs";
import { present, step } from "./steps.mjs";

const suites = ["forky", "trixie"].map((name) => new Suite(name));
const archives = join(toolchainDir, "archives");

// Tells which archive a folder of .deps was unpacked from, and which one the lock named at the
// time.
const markerIn = (folder) => join(folder, ".unpacked-from.json");

const hashOf = (path) => createHash("sha256").update(readFileSync(path)).digest("hex");

// Debian's versions carry the upstream one: 0.0~git20250402.c45ed79-1 -> 20250402.c45ed79,
// 1:1.3.dfsg+really1.3.1-1 -> 1.3.1
const upstreamVersion = (debianVersion) =>
  debianVersion
    .replace(/-[^-]*$/, "")
    .replace(/^.*(git|\+really)/, "")
    .replace(/\+.*$/, "");

// Fetches a Debian source archive: the pinned one where a suite still has it, else one of a version
// that was tried, with a word about it.
async function fetchFromDebian(name, entry) {
  const wanted = entry.archive;
  for (const pinnedOnly of [true, false]) {
    for (const suite of suites) {
      await suite.open();
      const fits = (candidate) =>
        pinnedOnly
          ? candidate.sha256 === wanted.sha256
          : entry.tested.includes(upstreamVersion(candidate.version));
      const found = suite.sourceArchives(wanted.package).find(fits);
      if (!found) continue;
      if (!pinnedOnly)
        console.log(
          `  note: no suite has ${wanted.file} any more; ${found.file} is used, sha256 ${found.sha256}`,
        );
      if (!existsSync(join(archives, found.file)))
        suite.downloadSource(wanted.package, found, archives);
      return { file: join(archives, found.file), sha256: found.sha256 };
    }
  }
  throw new Error(
    `Debian ${suites.map((suite) => suite.name).join(" and ")} have no ${name} of a tested version (${entry.tested.join(", ")})`,
  );
}

// The source distribution is only downloaded, yet pip wants to be able to read its metadata, for
// which it needs what the distribution is built with: setuptools and wheel where the lock names
// nothing.
async function fetchFromPython({ archive, version }) {
  if (!existsSync(join(archives, archive.file))) {
    await runPip(["install", ...(archive.builtWith ?? ["setuptools==80.9.0", "wheel==0.45.1"])]);
    await runPip([
      "download",
      "--no-deps",
      "--no-binary",
      ":all:",
      "--no-build-isolation",
      "--dest",
      archives,
      `${archive.package}==${version}`,
    ]);
  }
  return { file: join(archives, archive.file), sha256: archive.sha256 };
}

async function setUpSource(name, entry) {
  await step(`${name} ${entry.version}`, async () => {
    mkdirSync(archives, { recursive: true });
    const { file, sha256 } =
      entry.archive.from === "debian"
        ? await fetchFromDebian(name, entry)
        : await fetchFromPython(entry);
    const actual = hashOf(file);
    if (actual !== sha256) {
      rmSync(file);
      throw new Error(`${file}: sha256 is ${actual}, expected ${sha256}`);
    }
    const folder = join(depsDir, name);
    const partial = `${folder}.partial`;
    rmSync(partial, { recursive: true, force: true });
    mkdirSync(partial, { recursive: true });
    run("tar", ["-xf", file, "-C", partial, "--strip-components=1", "--no-same-owner"], {
      quiet: true,
    });
    writeFileSync(
      markerIn(partial),
      `${JSON.stringify({ pinned: entry.archive.sha256, unpacked: sha256 })}\n`,
    );
    rmSync(folder, { recursive: true, force: true });
    renameSync(partial, folder);
    rmSync(file);
  });
}

/** All sources. */
export const setUpSources = () => setUp(() => true);

/** The sources that the engine is compiled from, without those that only its tests need. */
export const setUpEngineSources = () => setUp(({ testsOnly }) => !testsOnly);

async function setUp(isWanted) {
  const lock = JSON.parse(readFileSync(join(root, "scripts", "deps.lock.json"), "utf8"));
  const sources = Object.entries(lock.sources).filter(([, entry]) => isWanted(entry));
  const stale = sources.filter(([name, entry]) => {
    const file = markerIn(join(depsDir, name));
    return (
      !existsSync(file) || JSON.parse(readFileSync(file, "utf8")).pinned !== entry.archive.sha256
    );
  });
  if (stale.length === 0)
    return present(
      "library sources",
      sources.map(([name, { version }]) => `${name} ${version}`).join(", "),
    );
  if (aptMissing()) {
    return present(
      "library sources",
      `${aptMissing()}; CMake will fetch the upstream releases of the same versions`,
    );
  }
  await step("library sources", async () => {
    for (const [name, entry] of stale) await setUpSource(name, entry);
  });
}
