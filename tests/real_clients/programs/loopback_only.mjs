// Loaded into every program before its own code: a connection to anywhere but this computer is
// refused and noted. A program that calls home fails the run.

import { appendFileSync } from "node:fs";
import { Socket } from "node:net";

const LOOPBACK = new Set(["localhost", "127.0.0.1", "::1", "[::1]"]);
const connect = Socket.prototype.connect;

Socket.prototype.connect = function (...given) {
  const [first, second] = Array.isArray(given[0]) ? given[0] : given;
  const options = typeof first === "object" && first !== null ? first : { port: first, host: second };
  const isPath = typeof options.path === "string" || typeof first === "string";
  const host = typeof options.host === "string" ? options.host : "localhost";
  if (!isPath && !LOOPBACK.has(host)) {
    appendFileSync(process.env.REFUSED_CONNECTIONS, `${process.argv[1]}: ${host}\n`);
    throw new Error(`only loopback can be reached from here, not ${host}`);
  }
  return connect.apply(this, given);
};
