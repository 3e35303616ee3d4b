// A client made with version 1 of the TypeScript SDK, which most hosts still carry.

import { Client } from "@modelcontextprotocol/sdk/client/index.js";
import { UnauthorizedError } from "@modelcontextprotocol/sdk/client/auth.js";
import { StreamableHTTPClientTransport } from "@modelcontextprotocol/sdk/client/streamableHttp.js";
import { run } from "./signed_in_session.mjs";

await run({
  makeClient: () => new Client({ name: "typescript-sdk-1", version: "1.0.0" }),
  makeTransport: (url, authProvider) => new StreamableHTTPClientTransport(url, { authProvider }),
  finish: (transport, answer) => transport.finishAuth(answer.get("code")),
  UnauthorizedError,
});
