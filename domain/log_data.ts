/**
 * A piece of output as it came: text where it came as text, else bytes. It stays text for as long as nobody asks for its
 * bytes: of all that lives in a master while a log goes through it, each copy more is work for the garbage collector.
 */
import { Buffer } from "node:buffer";

export type LogData = string | Uint8Array;

const encoder = new TextEncoder();

/** In bytes. */
export const sizeOf = (data: LogData): number => typeof data === "string" ? Buffer.byteLength(data) : data.length;
export const bytesOf = (data: LogData): Uint8Array => typeof data === "string" ? encoder.encode(data) : data;
