// A server on the loopback with the mishaps that a download can have.

import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";

export interface FileServer {
  url(path: string): string;
  /** Requests whose connection the other side ended early. */
  hangUps(): number;
  close(): Promise<void>;
}

/**
 * Serves `files`. "/drop/NAME" breaks the connection half way, "/short/NAME" ends orderly after
 * half of it, "/slow/NAME" sends 1000 bytes and waits, "/page" is a web page, "/page-as-file" one
 * that calls itself something else, "/sizeless/NAME" does not tell the length; else 404.
 */
export async function serveFiles(files: Record<string, Uint8Array>): Promise<FileServer> {
  let hangUps = 0;
  const server: Server = createServer((request, response) => {
    response.on("close", () => {
      if (!response.writableFinished) hangUps++;
    });
    const [, kind, name] =
      /^\/(?:(drop|short|slow|sizeless)\/)?(.*)$/.exec(request.url ?? "") ?? [];
    if (name === "page")
      return void response
        .writeHead(200, { "content-type": "text/html; charset=utf-8" })
        .end("<!doctype html><title>hello</title>");
    if (name === "page-as-file")
      return void response
        .writeHead(200, { "content-type": "application/octet-stream" })
        .end("\n<!DOCTYPE html><title>hello</title>");
    const file = files[name ?? ""];
    if (!file) return void response.writeHead(404).end("not here");
    const half = file.subarray(0, file.length >> 1);
    switch (kind) {
      case "drop":
        response.writeHead(200, { "content-length": file.length });
        // Late enough that even a busy client has seen the answer begin.
        response.write(half, () => setTimeout(() => response.destroy(), 300));
        return;
      case "short":
        return void response.writeHead(200, { "content-length": half.length }).end(half);
      case "slow":
        response.writeHead(200, { "content-length": file.length });
        response.write(file.subarray(0, 1000));
        return;
      case "sizeless":
        return void response.writeHead(200).end(file);
      default:
        return void response.writeHead(200, { "content-length": file.length }).end(file);
    }
  });
  // A client may take its time: a busy one would find the connection of an answer that it has not
  // read yet closed after five idle seconds.
  server.keepAliveTimeout = 0;
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  return {
    url: (path) => `http://127.0.0.1:${port}/${path}`,
    hangUps: () => hangUps,
    close: () =>
      new Promise((resolve) => {
        server.closeAllConnections();
        server.close(() => resolve());
      }),
  };
}
