// serve.mjs — serves dist/ and prints the address. PORT sets another port.

import { createServer } from "node:http";
import { join } from "node:path";
import sirv from "sirv";

const port = Number(process.env.PORT ?? 8080);
createServer(sirv(join(import.meta.dirname, "dist"), { dev: true }))
  .on("error", (error) => {
    console.error(error.code === "EADDRINUSE" ? `port ${port} is taken: set PORT to another one, for example PORT=${port + 1}` : error.message);
    process.exitCode = 1;
  })
  .listen(port, "localhost", () => console.log(`serving at http://localhost:${port}, until Ctrl+C`));
