/** `startLoad` as a process, for the network of another machine: PORT [METHOD,...]; ends at the end of its input. */
import { startLoad } from "./request_load.ts";

const [port, methods] = Deno.args;
const load = startLoad(Number(port), undefined, methods?.split(","));
await load.reach(1);
console.log("loading");
for await (const _ of Deno.stdin.readable);
const { answers, failed } = await load.end();
console.log(JSON.stringify({ answers: Object.fromEntries(answers), failed }));
Deno.exit(0);
