import { trusting } from "../protocol/trusted-types.js";

/**
 * The text of an SVG image, in the form that pages with Trusted Types let parse. By a policy of its
 * own, because page-parts.mjs is another script than the one with trustedScript.
 */
export const trustedMarkup = trusting("tiny-vlm-svg", "createHTML");
