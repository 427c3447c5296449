// Firefox as its makers ship it, by Playwright's client of WebDriver BiDi.
import { firefox } from "playwright-core";
import { ws as WebSocket } from "playwright-core/lib/utilsBundle";
import { neededBrowser } from "../../scripts/setup/browsers.mjs";

// Playwright sets the media features of every context by a command that no Firefox has yet, and
// gives up when it is unknown. What a test wants of them is set by preferences instead.
const UNKNOWN_COMMANDS = new Set(["emulation.setMediaFeaturesOverride"]);
const send = WebSocket.prototype.send;
WebSocket.prototype.send = function (message, ...rest) {
  const { id, method } = JSON.parse(message);
  if (!UNKNOWN_COMMANDS.has(method)) return send.call(this, message, ...rest);
  const answer = JSON.stringify({ type: "success", id, result: {} });
  queueMicrotask(() => this.emit("message", answer));
};

const PREFERENCES = {
  "media.navigator.permission.disabled": true,
  "media.navigator.streams.fake": true,
};

export const name = "Firefox";
export const variants = { isolated: "relaxed-mt", plain: "relaxed" };
export const missing = {};

/** Is an "error" of a page a remark of the browser, which no handler of the page could see? */
export const isRemark = (message) => /^Loading Worker from .* was blocked/.test(message);

/** Headless, with a profile of its own that is thrown away; `preferences` as in about:config. */
export const launch = ({ hosts = [], preferences = {} } = {}) =>
  firefox.launch({
    channel: "moz-firefox",
    executablePath: neededBrowser("firefox").program,
    firefoxUserPrefs: {
      ...PREFERENCES,
      ...(hosts.length > 0 ? { "network.dns.localDomains": hosts.join() } : {}),
      ...preferences,
    },
  });
