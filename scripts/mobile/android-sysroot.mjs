// What the Android build with zig compiles and links against (mobile/android/sysroot/README.md):
// headers, libraries made from the list of their functions, and the file that tells zig of them.
import { cpSync, existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { zigDir, zigEnvironment, zigProgram } from "../setup/cross-tools.mjs";
import { root, run } from "../toolchain.mjs";
import { writeZigLibc } from "./cross-build.mjs";

export const androidAbis = {
  "arm64-v8a": { architecture: "aarch64", kernelHeaders: "aarch64-linux-any" },
  x86_64: { architecture: "x86_64", kernelHeaders: "x86-linux-any" },
};

const source = join(root, "mobile", "android", "sysroot");

/** The functions that applications may use at API level 24, by library: { "libc.so": [...] }. */
export function androidSymbols() {
  const libraries = {};
  let library = null;
  for (const line of readFileSync(join(source, "api-24.txt"), "utf8").split("\n")) {
    if (line.startsWith("#") || line === "") continue;
    if (!line.startsWith(" ")) libraries[(library = line)] = [];
    else libraries[library].push(...line.trim().split(" "));
  }
  return libraries;
}

/** Makes the sysroot of an ABI in `folder` and returns process.env for a build that uses it. */
export function makeAndroidSysroot(abi, folder) {
  const { architecture, kernelHeaders } = androidAbis[abi];
  const [headers, libraries] = [join(folder, "include"), join(folder, "lib")];
  const env = zigEnvironment();
  const zig = (...args) => run(zigProgram, args, { env, quiet: true });
  const libcFile = join(folder, "libc.txt");
  if (!existsSync(libcFile)) {
    rmSync(folder, { recursive: true, force: true });
    mkdirSync(libraries, { recursive: true });
    const include = join(zigDir, "lib", "libc", "include");
    // The architecture's own header of a name replaces the general one.
    for (const part of [
      "generic-musl",
      `${architecture}-linux-musl`,
      "any-linux-any",
      kernelHeaders,
    ])
      cpSync(join(include, part), headers, { recursive: true });

    const target = ["-target", `${architecture}-linux-musl`];
    for (const [library, symbols] of Object.entries(androidSymbols())) {
      const assembly = join(folder, `${library}.s`);
      const labels = symbols.map((name) => `.globl ${name}\n.type ${name},%function\n${name}:\n`);
      writeFileSync(assembly, `.text\n${labels.join("")}.space 16\n`);
      zig(
        ...["cc", ...target, "-shared", "-nostdlib", `-Wl,-soname,${library}`],
        ...["-o", join(libraries, library), assembly],
      );
    }
    zig(
      ...["cc", ...target, "-c", "-O2", "-fPIC", "-fno-sanitize=undefined"],
      ...["-o", join(libraries, "crtbegin_so.o"), join(source, "crt", "crtbegin_so.c")],
    );
    const empty = join(folder, "crtend_so.s");
    writeFileSync(empty, "");
    zig("cc", ...target, "-c", "-o", join(libraries, "crtend_so.o"), empty);
    writeZigLibc(libcFile, {
      include_dir: join(source, "include"),
      sys_include_dir: headers,
      crt_dir: libraries,
      cc_dir: libraries,
    });
  }
  return { ...env, ZIG_LIBC: libcFile };
}
