// A client made with version 2 of the TypeScript SDK, which speaks 2026-07-28.

import {
  Client,
  StreamableHTTPClientTransport,
  UnauthorizedError,
} from "@modelcontextprotocol/client";
import { run } from "./signed_in_session.mjs";

await run({
  makeClient: () =>
    new Client(
      { name: "typescript-sdk-2", version: "1.0.0" },
      { versionNegotiation: { mode: "auto" } },
    ),
  makeTransport: (url, authProvider) => new StreamableHTTPClientTransport(url, { authProvider }),
  finish: (transport, answer) => transport.finishAuth(answer),
  UnauthorizedError,
});
