/** Reads `text/event-stream`: what `GET /live` and a followed log answer with. */
export interface StreamFrame {
  /** The resume point after this frame; null when the frame carries none. */
  id: string | null;
  event: string;
  data: string;
}

/** A frame cut by the end of the stream is dropped, as the standard says: its resume point was never reached. */
export async function* readEventStream(body: ReadableStream<Uint8Array>): AsyncGenerator<StreamFrame> {
  let rest = "";
  let frame = emptyFrame();
  const reader = body.pipeThrough(new TextDecoderStream() as ReadableWritablePair<string, Uint8Array>).getReader();
  try {
    while (true) {
      const { done, value } = await reader.read();
      if (done) return;
      rest += value;
      // A CR at the very end may be half of a CRLF: it waits for the next piece.
      const lines = rest.split(/\r\n|\n|\r(?!$)/);
      rest = lines.pop()!;
      for (const line of lines) {
        if (line === "") {
          if (frame.data.length > 0) {
            yield { id: frame.id, event: frame.event || "message", data: frame.data.join("\n") };
          }
          frame = emptyFrame();
        } else takeLine(frame, line);
      }
    }
  } finally {
    // Also when the reader of these frames walks away: the connection must not stay open behind it.
    await reader.cancel().catch(() => undefined);
  }
}

interface OpenFrame {
  id: string | null;
  event: string;
  data: string[];
}
const emptyFrame = (): OpenFrame => ({ id: null, event: "", data: [] });

function takeLine(frame: OpenFrame, line: string): void {
  if (line.startsWith(":")) return;
  const colon = line.indexOf(":");
  const field = colon < 0 ? line : line.slice(0, colon);
  const value = colon < 0 ? "" : line.slice(colon + 1).replace(/^ /, "");
  if (field === "data") frame.data.push(value);
  else if (field === "event") frame.event = value;
  else if (field === "id") frame.id = value;
}
