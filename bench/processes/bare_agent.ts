/** The other end of the bare path: says of everything that comes that it is done. */
import WebSocket from "ws";
import { answerCalls } from "../support/child.ts";

await answerCalls({
  connect: ({ port }: { port: number }) =>
    new Promise<void>((resolve, reject) => {
      const socket = new WebSocket(`ws://127.0.0.1:${port}`, { perMessageDeflate: false });
      socket.once("open", () => resolve());
      socket.once("error", reject);
      socket.on("message", (data) => {
        const tasks = JSON.parse(data.toString()) as { id: number }[];
        socket.send(JSON.stringify(tasks.map(({ id }) => ({ type: "result", id, outcome: { status: "success" } }))));
      });
    }),
});
