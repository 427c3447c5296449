// An HTTP proxy for browsers whose driver tells nothing of requests and resolves no names.
import { createServer, request as ask } from "node:http";
import { once } from "node:events";

/**
 * Hands every request on, to this machine where its host is one of `hosts`. `onRequest` gets the
 * address of each.
 */
export async function startForwardProxy({ hosts = [], onRequest = () => {} } = {}) {
  const server = createServer((request, response) => {
    const { hostname, port, pathname, search, href } = new URL(request.url);
    onRequest(href);
    const onward = ask(
      {
        host: hosts.includes(hostname) ? "127.0.0.1" : hostname,
        port,
        path: pathname + search,
        method: request.method,
        headers: request.headers,
      },
      (answer) => {
        response.writeHead(answer.statusCode, answer.rawHeaders);
        answer.pipe(response);
      },
    );
    onward.on("error", () => response.destroy());
    response.on("close", () => onward.destroy());
    request.pipe(onward);
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return {
    address: `127.0.0.1:${server.address().port}`,
    close() {
      server.close();
      server.closeAllConnections();
    },
  };
}
