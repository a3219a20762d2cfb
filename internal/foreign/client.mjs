// A client of the official TypeScript SDK that does what it reads on its standard input, and writes what it sees to its
// standard output: a JSON object a line, both ways. What is right and what is wrong, the tests say.
//
//   node client.mjs '{"library": "...", "mode": "auto", "command": "skillet", "args": ["serve"]}'
//   node client.mjs '{"library": "...", "mode": "auto", "url": "http://...", "token": "..."}'
import { createInterface } from "node:readline";

const settings = JSON.parse(process.argv[2]);
const write = (object) => process.stdout.write(JSON.stringify(object) + "\n");

// The second generation of the SDK has another layout, and has lost the second parameter of callTool.
const second = settings.library === "@modelcontextprotocol/client";
const load = (part, file) => import(settings.library + (second ? part : file));
const { Client } = await load("", "/client/index.js");
const { StreamableHTTPClientTransport } = await load("", "/client/streamableHttp.js");
const { StdioClientTransport } = await load("/stdio", "/client/stdio.js");

const client = new Client({ name: "foreign", version: "1" }, second ? { versionNegotiation: { mode: settings.mode } } : {});
client.onerror = (error) => write({ trouble: String(error) }); // such as progress of a call that is over
const transport = settings.command
  ? new StdioClientTransport({ command: settings.command, args: settings.args, env: process.env, stderr: "inherit" })
  : new StreamableHTTPClientTransport(new URL(settings.url), {
      requestInit: { headers: settings.token ? { Authorization: `Bearer ${settings.token}` } : {} },
    });

const failed = ({ name, message, code, data }) => ({ error: { name, message, code, status: data?.status ?? code } });
const running = new Map(); // calls, by the id of the order
const orders = {
  list: () => client.listTools(),
  ping: () => client.ping(),
  read: ({ params }) => client.readResource(params),
  call: ({ id, params, options }) => {
    const stop = new AbortController();
    running.set(id, stop);
    const all = { ...options, signal: stop.signal, onprogress: (progress) => write({ id, progress }) };
    return second ? client.callTool(params, all) : client.callTool(params, undefined, all);
  },
  abort: ({ call }) => running.get(call).abort("enough"),
};

// The first generation tells nobody but its transport which version was agreed upon.
let version;
const told = transport.setProtocolVersion?.bind(transport);
transport.setProtocolVersion = (agreed) => {
  version = agreed;
  told?.(agreed);
};
try {
  await client.connect(transport);
} catch (error) {
  write(failed(error));
  process.exit(1);
}
write({ pid: transport.pid, version: client.getNegotiatedProtocolVersion?.() ?? version });
for await (const line of createInterface({ input: process.stdin })) {
  const order = JSON.parse(line);
  Promise.resolve(orders[order.do](order)).then(
    (result) => write({ id: order.id, result: result ?? {} }),
    (error) => write({ id: order.id, ...failed(error) }),
  );
}
await client.close();
