// Chromium by Playwright's own protocol.
import { chromium } from "playwright-core";
import { neededBrowser } from "../../scripts/setup/browsers.mjs";

const FLAGS = [
  "--no-sandbox",
  "--disable-gpu",
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
  "--use-fake-device-for-media-stream",
  "--use-fake-ui-for-media-stream",
];

const options = (flags = []) => ({
  executablePath: neededBrowser("chromium").program,
  args: [...FLAGS, ...flags],
});

export const name = "Chromium";
export const variants = { isolated: "relaxed-mt", plain: "relaxed" };
/** Faults of a connection that has served before, after which the browser asks again by itself. */
export const askedAgain = ["no-answer", "reset-inside-http-header", "status-408"];
/** What the specs may ask for and is not to be had here, with the reason. */
export const missing = {
  "privacy.resistFingerprinting": "a setting of Firefox",
};

/** Headless, with a profile in memory; `hosts` are names that lead to this machine. */
export const launch = ({ flags = [], hosts = [] } = {}) =>
  chromium.launch(
    options([...flags, ...hosts.map((host) => `--host-resolver-rules=MAP ${host} 127.0.0.1`)]),
  );

/** Of the browser. */
export async function version() {
  const browser = await launch();
  const number = browser.version();
  await browser.close();
  return number;
}

/** A context whose profile lies in `folder`: what pages store is on the disk. */
export const launchWithProfile = (folder) => chromium.launchPersistentContext(folder, options());

export { newWatchedContext } from "./watched-context.mjs";
