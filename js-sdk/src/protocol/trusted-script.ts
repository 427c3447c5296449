import { trusting } from "./trusted-types.js";

/** The address of one of our own scripts, in the form that pages with Trusted Types accept. */
export const trustedScript = trusting("tiny-vlm", "createScriptURL");
