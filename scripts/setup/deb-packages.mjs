// Debian packages that are not installed but unpacked under .toolchain: taking them apart, and
// telling whether they are those that were tested.
import { createHash } from "node:crypto";
import { cpSync, existsSync, lstatSync, mkdirSync, readdirSync } from "node:fs";
import { readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { basename, join } from "node:path";
import { run } from "../toolchain.mjs";

/** Unpacks every package in `debs` into `image`, a folder that is made anew, without documents. */
export function unpackPackages(debs, image) {
  rmSync(image, { recursive: true, force: true });
  mkdirSync(image, { recursive: true });
  const skipped = ["doc", "man", "lintian", "bug", "locale", "info"].map(
    (name) => `--exclude=./usr/share/${name}`,
  );
  const script = 'deb=$1; shift; dpkg-deb --fsys-tarfile "$deb" | tar -x --no-same-owner "$@"';
  for (const name of readdirSync(debs).filter((entry) => entry.endsWith(".deb"))) {
    run("sh", ["-c", script, "unpack", join(debs, name), "-C", image, ...skipped], {
      quiet: true,
    });
  }
}

/** Makes /lib, /lib64, ... of an unpacked image links into /usr, which some packages expect. */
export function mergeUsr(image, names) {
  for (const name of names) {
    const path = join(image, name);
    if (existsSync(path) && !lstatSync(path).isSymbolicLink()) {
      cpSync(path, join(image, "usr", name), { recursive: true, verbatimSymlinks: true });
      rmSync(path, { recursive: true });
    }
    if (!existsSync(path)) symlinkSync(join("usr", name), path);
  }
}

/**
 * Says where the packages in `folder` differ from those that the lock lists for this suite. apt has
 * checked every one against the archive's signature, and a suite that moves on is no error; but a
 * build that fails is then the first place to look. TINYVLM_WRITE_LOCK=1 writes the lock anew.
 */
export function compareWithLock(lockPath, suiteName, folder) {
  const lock = JSON.parse(readFileSync(lockPath, "utf8"));
  const hashes = Object.fromEntries(
    readdirSync(folder)
      .filter((name) => name.endsWith(".deb"))
      .sort()
      .map((name) => [
        name,
        createHash("sha256")
          .update(readFileSync(join(folder, name)))
          .digest("hex"),
      ]),
  );
  const lockName = basename(lockPath);
  if (!Object.keys(hashes).some((name) => /_amd64\.deb$/.test(name)))
    return `packages of another processor than those in ${lockName}`;
  if (process.env.TINYVLM_WRITE_LOCK === "1") {
    lock.suites[suiteName] = hashes;
    writeFileSync(lockPath, `${JSON.stringify(lock, null, 2)}\n`);
    return `written to ${lockName}`;
  }
  const tested = lock.suites[suiteName];
  const changed = Object.keys(hashes).filter((name) => tested?.[name] !== hashes[name]);
  if (changed.length === 0) return `all as in ${lockName}`;
  const some = changed.slice(0, 3).join(", ");
  return `${changed.length} newer than in ${lockName} (${some}${changed.length > 3 ? ", ..." : ""})`;
}
