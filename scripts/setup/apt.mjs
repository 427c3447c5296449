// A private view of another Debian suite: the machine's own mirror and apt's own signature checks,
// but lists and state under .toolchain, so that the system's packages are never touched and no root
// is needed.
import { spawnSync } from "node:child_process";
import {
  existsSync,
  mkdirSync,
  readdirSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { run, toolchainDir } from "../toolchain.mjs";
import { countFetched, folderBytes, present, step } from "./steps.mjs";

const keyring = "/usr/share/keyrings/debian-archive-keyring.gpg";

/** Why apt cannot serve here, or null where it can. */
export function aptMissing() {
  if (spawnSync("apt-get", ["--version"]).status !== 0) return "this machine has no apt-get";
  if (!existsSync(keyring)) return `${keyring} is missing (package debian-archive-keyring)`;
  return mirror() ? null : "apt's sources name no Debian archive";
}

// The address of the Debian archive that this machine's apt reads. A machine that never ran
// `apt-get update` has no lists to tell by: then the lists of its sources are read into a private
// folder first.
let knownMirror;
function mirror() {
  knownMirror ??= mirrorFrom([]) ?? mirrorFromFreshLists();
  return knownMirror;
}

function mirrorFrom(options) {
  const format = "$(CREATED_BY)|$(LABEL)|$(COMPONENT)|$(REPO_URI)";
  const { stdout } = spawnSync("apt-get", [...options, "indextargets", "--format", format], {
    encoding: "utf8",
  });
  const row = (stdout ?? "").split("\n").find((line) => line.startsWith("Packages|Debian|main|"));
  return row?.split("|")[3] ?? null;
}

function mirrorFromFreshLists() {
  const lists = join(toolchainDir, "apt", "machine-lists");
  mkdirSync(join(lists, "partial"), { recursive: true });
  const options = [
    "-o",
    `Dir::State::Lists=${lists}`,
    "-o",
    "Debug::NoLocking=1",
    "-o",
    "APT::Sandbox::User=",
  ];
  countFetched(
    fetchedBy(
      spawnSync("apt-get", [...options, "-q", "update"], { encoding: "utf8" }).stdout ?? "",
    ),
  );
  return mirrorFrom(options);
}

// Bytes that an `apt-get update` says it fetched: "Fetched 24.2 MB in 3s (...)".
function fetchedBy(output) {
  const [, amount, unit] = /^Fetched ([\d.,]+) ([kMG]?)B /m.exec(output) ?? [];
  return amount ? Number(amount.replaceAll(",", "")) * { "": 1, k: 1e3, M: 1e6, G: 1e9 }[unit] : 0;
}

export class Suite {
  #config;
  #folder;

  constructor(name) {
    this.name = name;
    this.#folder = join(toolchainDir, "apt", name);
    this.#config = join(this.#folder, "apt.conf");
  }

  #env() {
    return { ...process.env, APT_CONFIG: this.#config, LC_ALL: "C" };
  }

  /** Reads the suite's lists, once per run of the set-up. */
  async open() {
    if (this.opened) return;
    await step(`package lists of Debian ${this.name}`, () => {
      for (const folder of [
        "sources.d",
        "preferences.d",
        "state/lists/partial",
        "cache/archives/partial",
      ]) {
        mkdirSync(join(this.#folder, folder), { recursive: true });
      }
      const source = {
        Types: "deb deb-src",
        URIs: mirror(),
        Suites: this.name,
        Components: "main",
        Targets: "Packages Sources",
        "Signed-By": keyring,
      };
      writeFileSync(
        join(this.#folder, "sources.d", "suite.sources"),
        Object.entries(source)
          .map(([key, value]) => `${key}: ${value}\n`)
          .join(""),
      );
      // An empty status file: as far as this apt knows nothing is installed, so that a simulated
      // install lists every dependency.
      writeFileSync(join(this.#folder, "status"), "");
      const settings = {
        "Dir::Etc::SourceList": "/dev/null",
        "Dir::Etc::SourceParts": join(this.#folder, "sources.d"),
        "Dir::Etc::Preferences": "/dev/null",
        "Dir::Etc::PreferencesParts": join(this.#folder, "preferences.d"),
        "Dir::State": join(this.#folder, "state"),
        "Dir::State::Status": join(this.#folder, "status"),
        "Dir::Cache": join(this.#folder, "cache"),
        "APT::Sandbox::User": "",
        "APT::Install-Recommends": "false",
        "Acquire::Languages": "none",
        "Acquire::GzipIndexes": "true",
        "Acquire::Retries": "3",
      };
      writeFileSync(
        this.#config,
        Object.entries(settings)
          .map(([key, value]) => `${key} "${value}";\n`)
          .join(""),
      );
      countFetched(fetchedBy(run("apt-get", ["-q", "update"], { env: this.#env(), quiet: true })));
      this.opened = true;
    });
  }

  /** Version and dependencies of a binary package, or null where the suite lacks it. */
  package(name) {
    const { stdout, status } = spawnSync("apt-cache", ["show", "--no-all-versions", name], {
      env: this.#env(),
      encoding: "utf8",
    });
    if (status !== 0) return null;
    const field = (key) => new RegExp(`^${key}: (.*)$`, "m").exec(stdout)?.[1] ?? "";
    return { version: field("Version"), depends: field("Depends") };
  }

  /** Names of all packages that an installation of `names` on an empty machine would bring. */
  closure(names) {
    const plan = run("apt-get", ["-s", "-o", "Debug::NoLocking=1", "install", ...names], {
      env: this.#env(),
      quiet: true,
    });
    return [...plan.matchAll(/^Inst (\S+)/gm)].map((match) => match[1]);
  }

  /** Downloads binary packages into `folder` (apt checks their hashes). */
  download(names, folder) {
    mkdirSync(folder, { recursive: true });
    const before = folderBytes(folder);
    run("apt-get", ["-qq", "download", ...names], { env: this.#env(), cwd: folder, quiet: true });
    countFetched(folderBytes(folder) - before);
  }

  /** Upstream archives of a source package that the suite has: [{ version, file, sha256 }]. */
  sourceArchives(name) {
    const { stdout } = spawnSync("apt-cache", ["showsrc", "--only-source", name], {
      env: this.#env(),
      encoding: "utf8",
    });
    return (stdout ?? "").split(/\n(?=Package: )/).flatMap((entry) => {
      const version = /^Version: (.*)$/m.exec(entry)?.[1];
      const archive = /^ ([0-9a-f]{64}) (\d+) (\S+\.orig\.tar\.\w+)$/m.exec(entry);
      return version && archive ? [{ version, sha256: archive[1], file: archive[3] }] : [];
    });
  }

  /** Downloads the upstream archive of one version of a source package into `folder`. */
  downloadSource(name, { version, file }, folder) {
    const work = join(folder, "partial");
    rmSync(work, { recursive: true, force: true });
    mkdirSync(work, { recursive: true });
    run("apt-get", ["-qq", "source", "--download-only", "--tar-only", `${name}=${version}`], {
      env: this.#env(),
      cwd: work,
      quiet: true,
    });
    if (!readdirSync(work).includes(file))
      throw new Error(`apt-get source ${name}=${version} brought no ${file}`);
    countFetched(statSync(join(work, file)).size);
    renameSync(join(work, file), join(folder, file));
    rmSync(work, { recursive: true });
  }
}

/**
 * Installs a package of the machine's own suite where this process may; says how where it may not.
 */
export async function installSystemPackage(name, { recommended = false } = {}) {
  if (process.getuid?.() !== 0 || spawnSync("apt-get", ["--version"]).status !== 0) {
    return present(name, `not found; install it (Debian: apt-get install ${name})`);
  }
  await step(`apt-get install ${name}`, () => {
    const env = { ...process.env, DEBIAN_FRONTEND: "noninteractive" };
    const install = [
      "-qq",
      "-y",
      recommended ? "--install-recommends" : "--no-install-recommends",
      "install",
      name,
    ];
    run("apt-get", ["-qq", "update"], { env, quiet: true });
    const plan = run("apt-get", ["--print-uris", ...install], { env, quiet: true });
    countFetched(
      [...plan.matchAll(/^'\S+' \S+ (\d+) /gm)].reduce((sum, match) => sum + Number(match[1]), 0),
    );
    run("apt-get", install, { env, quiet: true });
  });
}
