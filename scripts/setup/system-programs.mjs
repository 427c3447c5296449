// Programs that only the tests need and that come from the machine's own package archive.
import { versionOf } from "../toolchain.mjs";
import { installSystemPackage } from "./apt.mjs";
import { present } from "./steps.mjs";

export async function setUpClang() {
  const version = versionOf("clang++");
  if (version) return present("clang", version);
  // the sanitizers' runtime is a recommended package
  await installSystemPackage("clang", { recommended: true });
}
