// Answers the page's requests: from the network where there is one, else with what it answered
// last. Models are left to the package, which keeps and verifies them by itself.
const cacheName = "tiny-vlm-offline-1";
const shell = [
  ...["./", "manifest.json", "../shared/style.css", "../shared/base.css"],
  ...["../shared/model.js", "../playground/icon.svg"],
];

// The package has to lie below the service worker, or the requests of its workers pass by. In an
// app of yours it does (copy node_modules/tiny-vlm/dist to tiny-vlm/), and these lines go.
const packageBelow = new URL("tiny-vlm/", self.location).href;
const packageHere = new URL("../../dist/", self.location).href;
const realUrl = (url) => url.replace(packageBelow, packageHere);

self.addEventListener("install", (event) => {
  event.waitUntil(caches.open(cacheName).then((cache) => cache.addAll(shell)));
  self.skipWaiting();
});
self.addEventListener("activate", (event) => {
  event.waitUntil(self.clients.claim());
});
self.addEventListener("message", (event) => {
  if (event.data === "claim") event.waitUntil(self.clients.claim());
});

self.addEventListener("fetch", (event) => {
  const { request } = event;
  if (request.method !== "GET" || !request.url.startsWith(self.location.origin)) return;
  const url = realUrl(request.url);
  if (url.endsWith(".gguf")) {
    const { headers, signal } = request;
    event.respondWith(fetch(url, { headers, signal }));
  } else event.respondWith(networkElseCache(url));
});

async function networkElseCache(url) {
  const cache = await caches.open(cacheName);
  try {
    const response = await fetch(url);
    if (response.ok) await cache.put(url, response.clone());
    // Without the address that it came from: a worker takes its own from there.
    return new Response(response.body, response);
  } catch (error) {
    const kept = await cache.match(url);
    if (kept) return new Response(kept.body, kept);
    throw error;
  }
}
