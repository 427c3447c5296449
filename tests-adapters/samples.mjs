// The sample images with the answers of the demo model, as every test of a client wants them.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { createServer } from "node:http";

const folder = join(process.cwd(), "examples-web", "samples");

/** An image with a question about it, its answer, and the image's file in several forms. */
export const sample = (index) => {
  const { image, questions } = JSON.parse(readFileSync(join(folder, "samples.json"), "utf8"))[
    index
  ];
  const bytes = readFileSync(join(folder, image));
  const base64 = bytes.toString("base64");
  return {
    image,
    questions,
    ...questions[0],
    bytes,
    base64,
    url: `data:image/png;base64,${base64}`,
  };
};

/** A server of the sample images; `url(name)` is the address of one. */
export async function serveSamples() {
  const server = createServer((request, response) => {
    response.setHeader("content-type", "image/png").end(readFileSync(join(folder, request.url)));
  });
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    url: (name) => `http://127.0.0.1:${server.address().port}/${name}`,
    close: () => new Promise((resolve) => server.close(resolve)),
  };
}
