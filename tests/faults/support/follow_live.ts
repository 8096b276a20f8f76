/** What a page hears over `GET /api/v1/live`. */
import { request } from "node:http";
import type { LiveEvent } from "../../../protocol/live_events.ts";
import type { Master } from "../../helpers/start_product.ts";

export interface Followed {
  events: LiveEvent[];
  end(): void;
}

/** Resolves when the stream has begun: nothing that happens from then on is missed. */
export function followLive(master: Master, topics: string[]): Promise<Followed> {
  const events: LiveEvent[] = [];
  return new Promise((resolve, reject) => {
    const url = `${master.url}/api/v1/live?topics=${topics.join(",")}`;
    const outgoing = request(url, { headers: master.bearer() }, (answer) => {
      if (answer.statusCode !== 200) return reject(new Error(`the live stream answered ${answer.statusCode}`));
      let text = "";
      answer.setEncoding("utf8");
      answer.on("data", (part: string) => {
        text += part;
        const frames = text.split("\n\n");
        text = frames.pop()!;
        for (const frame of frames) {
          const data = /^data: (.*)$/m.exec(frame)?.[1];
          if (!data) continue;
          const event = JSON.parse(data) as LiveEvent;
          events.push(event);
          if (event.type === "stream") resolve({ events, end: () => outgoing.destroy() });
        }
      });
      answer.on("error", () => {}); // it was ended by us, or by a master that stops
    });
    outgoing.on("error", reject);
    outgoing.end();
  });
}
