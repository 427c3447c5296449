// The browsers that the browser tests drive: where they lie, and the packages that bring them.
import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { installSystemPackage } from "./apt.mjs";
import { present } from "./steps.mjs";

const firstThere = (paths) => paths.find((path) => path && existsSync(path)) ?? null;

// WebKitGTK's own small browser, beside its other programs, which Debian puts in the folder of the
// machine's architecture.
function findMiniBrowser() {
  const folders = (within, pattern) =>
    existsSync(within)
      ? readdirSync(within)
          .filter((name) => pattern.test(name))
          .map((name) => join(within, name))
      : [];
  return firstThere(
    ["/usr/lib", "/usr/libexec"]
      .flatMap((top) => [top, ...folders(top, /-linux-gnu/)])
      .flatMap((folder) => folders(folder, /^webkit2?gtk-/))
      .map((folder) => join(folder, "MiniBrowser")),
  );
}

// "files": what the tests start, by name, each null where it is missing. "packages": Debian's.
const browsers = {
  chromium: {
    title: "Chromium",
    files: () => ({
      program: firstThere([
        process.env.CHROMIUM,
        "/usr/bin/chromium",
        "/usr/bin/chromium-browser",
        "/usr/bin/google-chrome",
        "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
      ]),
    }),
    packages: ["chromium"],
    remedy: "apt-get install chromium, or name it in the environment variable CHROMIUM",
  },
  firefox: {
    title: "Firefox",
    files: () => ({
      program: firstThere([
        process.env.FIREFOX,
        "/usr/bin/firefox",
        "/usr/bin/firefox-esr",
        "/Applications/Firefox.app/Contents/MacOS/firefox",
      ]),
    }),
    packages: ["firefox-esr"],
    remedy: "apt-get install firefox-esr, or name it in the environment variable FIREFOX",
  },
  webkit: {
    title: "WebKit",
    files: () => ({
      program: process.env.WEBKIT ?? findMiniBrowser(),
      driver: firstThere([process.env.WEBKIT_DRIVER, "/usr/bin/WebKitWebDriver"]),
      display: firstThere(["/usr/bin/Xvfb"]),
    }),
    packages: ["webkit2gtk-driver", "xvfb"],
    remedy:
      "apt-get install webkit2gtk-driver xvfb, or name WebKitGTK's MiniBrowser and " +
      "WebKitWebDriver in the environment variables WEBKIT and WEBKIT_DRIVER",
  },
};

export const browserNames = Object.keys(browsers);

/** The programs that the tests start for a browser; null where one of them is missing. */
export function findBrowser(name) {
  const files = browsers[name].files();
  return Object.values(files).every(Boolean) ? files : null;
}

/** As findBrowser(); throws, with the remedy, where there is none. */
export function neededBrowser(name) {
  const files = browsers[name].files();
  const missing = Object.keys(files).filter((key) => !files[key]);
  if (missing.length === 0) return files;
  const { title, remedy } = browsers[name];
  throw new Error(`no ${title} found (${missing.join(", ")} missing): ${remedy}`);
}

/** What to do where a browser is missing. */
export const remedyFor = (name) => browsers[name].remedy;

/** Installs what is missing of a browser from the machine's own archive. */
export const setUpBrowser = (name) => async () => {
  const found = findBrowser(name);
  if (found) return present(name, found.program);
  for (const aPackage of browsers[name].packages) await installSystemPackage(aPackage);
};
