import { register } from "node:module";
import { MessageChannel, receiveMessageOnPort } from "node:worker_threads";

// Preloaded into a process: writes every package that it imports, one a line, to stderr at its end.
const { port1, port2 } = new MessageChannel();
const hook = `
let port;
export const initialize = (given) => { port = given; };
export async function resolve(specifier, context, next) {
  const found = await next(specifier, context);
  const name = /\\/node_modules\\/((?:@[^/]+\\/)?[^/]+)\\/(?!.*\\/node_modules\\/)/.exec(found.url)?.[1];
  if (name) port.postMessage(name + " " + (context.parentURL ?? ""));
  return found;
}`;
register(`data:text/javascript,${encodeURIComponent(hook)}`, { data: port2, transferList: [port2] });
process.on("exit", () => {
  const packages = new Set();
  for (let next = receiveMessageOnPort(port1); next; next = receiveMessageOnPort(port1)) packages.add(next.message);
  process.stderr.write(`${[...packages].map((name) => `loaded ${name}`).join("\n")}\n`);
});
