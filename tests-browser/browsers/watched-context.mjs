/** A context of Playwright's, whose requests are told: `onRequest` gets the address of each. */
export async function newWatchedContext(browser, onRequest) {
  const context = await browser.newContext();
  context.on("request", (request) => onRequest(request.url()));
  return context;
}
