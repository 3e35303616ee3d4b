// What a host does around an SDK's OAuthClientProvider: it keeps what the provider saves in a file,
// opens the browser, and listens for the answer. The SDK under test is handed in by the script.

import { spawn } from "node:child_process";
import { randomUUID } from "node:crypto";
import { once } from "node:events";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";

/** Keeps registration, tokens and verifier in a file; opens authorization URLs in $BROWSER. */
class FileProvider {
  constructor({ file, clientMetadataUrl, grantTypes }, redirectUrl) {
    this.file = file;
    this.redirectUrl = redirectUrl;
    this.clientMetadataUrl = clientMetadataUrl;
    this.clientMetadata = {
      client_name: "TypeScript SDK",
      redirect_uris: [redirectUrl],
      grant_types: grantTypes,
      response_types: ["code"],
      token_endpoint_auth_method: "none",
    };
    this.saved = existsSync(file) ? JSON.parse(readFileSync(file, "utf8")) : {};
  }

  state() {
    this.expectedState = randomUUID();
    return this.expectedState;
  }

  clientInformation = () => this.saved.client;
  saveClientInformation = (client) => this.#save({ client });
  tokens = () => this.saved.tokens;
  saveTokens = (tokens) => this.#save({ tokens });
  codeVerifier = () => this.saved.verifier;
  saveCodeVerifier = (verifier) => this.#save({ verifier });
  discoveryState = () => this.saved.discovery;
  saveDiscoveryState = (discovery) => this.#save({ discovery });

  redirectToAuthorization(url) {
    spawn(process.env.BROWSER, [url.href], { stdio: ["ignore", "ignore", "inherit"] });
  }

  #save(part) {
    Object.assign(this.saved, part);
    writeFileSync(this.file, JSON.stringify(this.saved), { mode: 0o600 });
  }
}

/** Listens on a free port for answers of the authorization server. */
async function listen() {
  const answers = [];
  let arrive = () => {};
  const server = createServer((request, response) => {
    const { pathname, searchParams } = new URL(request.url, "http://127.0.0.1");
    response.end("You can close this page.");
    if (pathname !== "/callback") return;
    answers.push(searchParams);
    arrive();
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return {
    redirectUrl: `http://127.0.0.1:${server.address().port}/callback`,
    answer: async () => {
      if (!answers.length) await new Promise((done) => (arrive = done));
      return answers.shift();
    },
    close: () => server.close(),
  };
}

/** Connects, lists the tools, reads and writes; prints what happened as one JSON object. */
export async function run({ makeClient, makeTransport, finish, UnauthorizedError }) {
  const options = JSON.parse(process.argv[2]);
  const callback = await listen();
  const provider = new FileProvider(options, callback.redirectUrl);
  let client, transport;
  const connect = async () => {
    client = makeClient();
    transport = makeTransport(new URL(options.mcpUrl), provider);
    await client.connect(transport);
  };
  const signingIn = async (step) => {
    try {
      return await step();
    } catch (error) {
      if (!(error instanceof UnauthorizedError)) throw error;
      const answer = await callback.answer();
      if (answer.get("state") !== provider.expectedState) throw new Error("a foreign answer");
      await finish(transport, answer);
      return await step();
    }
  };

  await signingIn(connect);
  const report = { version: client.getNegotiatedProtocolVersion?.() ?? transport.protocolVersion };
  report.tools = (await client.listTools()).tools.map((tool) => tool.name);
  report.listed = (await client.callTool({ name: "list_todos", arguments: {} })).structuredContent;
  try {
    const call = { name: "create_todo", arguments: { text: options.text } };
    report.created = (await signingIn(() => client.callTool(call))).structuredContent;
  } catch (error) {
    report.refused = String(error.message);
  }
  await client.close();
  callback.close();
  console.log(JSON.stringify(report));
}
