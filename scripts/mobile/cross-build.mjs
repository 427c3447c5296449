// What the builds with zig for Android and for Apple's systems have in common.
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { root, run } from "../toolchain.mjs";

/**
 * Builds the shared library in `folder` with the toolchain file
 * mobile/<system>/toolchain-zig.cmake; `settings` are further arguments of CMake.
 */
export function buildSharedLibrary(system, folder, settings, env) {
  run(
    "cmake",
    [
      ...["-S", root, "-B", folder, "-G", "Ninja", "-DCMAKE_BUILD_TYPE=Release"],
      `-DCMAKE_TOOLCHAIN_FILE=${join(root, "mobile", system, "toolchain-zig.cmake")}`,
      ...settings,
      "-DCMAKE_DISABLE_PRECOMPILE_HEADERS=ON",
      ...["TESTS", "TOOLS", "INSTALL"].map((part) => `-DTINYVLM_${part}=OFF`),
    ],
    { env, quiet: true },
  );
  const jobs = process.env.TINYVLM_JOBS ? ["-j", process.env.TINYVLM_JOBS] : [];
  run("cmake", ["--build", folder, ...jobs, "--target", "tinyvlm_shared"], { env, quiet: true });
}

/** Writes the file that tells zig (ZIG_LIBC) where a system's headers and libraries lie. */
export function writeZigLibc(file, folders) {
  const fields = {
    ...{ include_dir: "", sys_include_dir: "", crt_dir: "", msvc_lib_dir: "" },
    ...{ kernel32_lib_dir: "", cc_dir: "", darwin_sdk_dir: "" },
    ...folders,
  };
  const lines = Object.entries(fields).map(([key, value]) => `${key}=${value}\n`);
  writeFileSync(file, lines.join(""));
}

/** The functions that a list beside the C header names for export. */
export const listedExports = (name) =>
  readFileSync(join(root, "cpp", "api", name), "utf8")
    .split("\n")
    .filter(Boolean);
