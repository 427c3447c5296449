// Which images the words of a command line mean: folders, patterns, files, addresses.

import { readdirSync, statSync, type Dirent } from "node:fs";
import { join } from "node:path";
import { describeReason, TinyVLMError } from "../protocol/errors.js";
import { wrongArgument } from "./flags.js";
import { isUrl } from "./images.js";

const isImageName = (name: string) => /\.(png|jpe?g)$/i.test(name);

/**
 * The images that `words` mean, in their order and each once: a file or a URL itself; of a folder
 * the PNG and JPEG files in it; of a pattern (`*`, `?`, `[a-z]`, `{a,b}`, `**` for any folders) those
 * that it matches. Errors: `not_found` where a folder or a pattern gives none, or nothing that is
 * named exists; `io`.
 */
export function imagePaths(words: readonly string[]): string[] {
  const found = words.flatMap((word) => {
    if (word === "") throw wrongArgument("wanted images, found an empty text among them");
    if (isUrl(word)) return [word];
    const stats = statSync(word, { throwIfNoEntry: false });
    if (stats?.isDirectory()) return atLeastOne(word, imagesIn(word));
    if (!stats && /[*?[{]/.test(word)) return atLeastOne(word, imagesMatching(word));
    return [word];
  });
  // One of many may be missing, which its row then says; none at all is a slip of the pen.
  const isThere = (path: string) => isUrl(path) || statSync(path, { throwIfNoEntry: false });
  if (!found.some(isThere))
    throw new TinyVLMError("not_found", `no such file or folder: ${found.join(", ")}`);
  return [...new Set(found)];
}

function atLeastOne(word: string, paths: string[]): string[] {
  if (paths.length > 0) return paths;
  throw new TinyVLMError("not_found", `wanted PNG or JPEG files, "${word}" gives none`);
}

function imagesIn(folder: string): string[] {
  return entriesOf(folder)
    .filter((entry) => isImageName(entry.name) && isFile(folder, entry))
    .map(({ name }) => join(folder, name));
}

/** The PNG and JPEG files that match `pattern`. */
export function imagesMatching(pattern: string): string[] {
  return alternatives(pattern).flatMap((each) => {
    const isAbsolute = each.startsWith("/");
    const parts = each.split("/").filter((part) => part !== "");
    return matches(isAbsolute ? "/" : "", parts).filter(isImageName);
  });
}

/** `a{b,c}` is `ab` and `ac`. */
function alternatives(pattern: string): string[] {
  const [all, inner] = /\{([^{}]*,[^{}]*)\}/.exec(pattern) ?? [];
  if (all === undefined) return [pattern];
  return inner!.split(",").flatMap((each) => alternatives(pattern.replace(all, () => each)));
}

function matches(folder: string, [part, ...rest]: string[]): string[] {
  if (part === undefined) return [];
  if (part === "**") {
    const below = entriesOf(folder).filter((entry) => entry.isDirectory() && !isHidden(entry.name));
    const here = rest.length > 0 ? rest : ["*"];
    return [
      ...matches(folder, here),
      ...below.flatMap(({ name }) => matches(join(folder, name), [part, ...rest])),
    ];
  }
  if (!/[*?[]/.test(part)) {
    const path = join(folder, part);
    const stats = statSync(path, { throwIfNoEntry: false });
    if (rest.length === 0) return stats?.isFile() ? [path] : [];
    return stats?.isDirectory() ? matches(path, rest) : [];
  }
  const isMatch = matcher(part);
  const found = entriesOf(folder).filter(
    ({ name }) => isMatch(name) && (part.startsWith(".") || !isHidden(name)),
  );
  if (rest.length > 0)
    return found
      .filter((entry) => isFolder(folder, entry))
      .flatMap(({ name }) => matches(join(folder, name), rest));
  return found.filter((entry) => isFile(folder, entry)).map(({ name }) => join(folder, name));
}

/** Whether a name matches one part of a pattern. */
function matcher(part: string): (name: string) => boolean {
  const expression = part.replaceAll(/\[([!^]?)([^\]]+)\]|[^]/g, (all, not, set) => {
    if (set !== undefined) return `[${not ? "^" : ""}${set.replaceAll(/[\\\]]/g, "\\$&")}]`;
    if (all === "*") return ".*";
    return all === "?" ? "." : all.replace(/[\\^$.|+()[\]{}]/, "\\$&");
  });
  try {
    const compiled = new RegExp(`^${expression}$`, "su");
    return (name) => compiled.test(name);
  } catch (cause) {
    throw wrongArgument(
      `wanted a pattern of file names, found "${part}" in it: ${describeReason(cause)}`,
    );
  }
}

const isHidden = (name: string) => name.startsWith(".");

// Symbolic links count as what they lead to.
const isFile = (folder: string, entry: Dirent) =>
  entry.isFile() || (entry.isSymbolicLink() && stat(folder, entry)?.isFile() === true);
const isFolder = (folder: string, entry: Dirent) =>
  entry.isDirectory() || (entry.isSymbolicLink() && stat(folder, entry)?.isDirectory() === true);
const stat = (folder: string, { name }: Dirent) =>
  statSync(join(folder, name), { throwIfNoEntry: false });

/** What is in a folder ("": the current one), by name. */
function entriesOf(folder: string): Dirent[] {
  try {
    return readdirSync(folder || ".", { withFileTypes: true }).sort((a, b) =>
      a.name < b.name ? -1 : 1,
    );
  } catch (cause) {
    throw new TinyVLMError(
      "io",
      `the folder "${folder}" cannot be read: ${describeReason(cause)}`,
      {
        cause,
      },
    );
  }
}
