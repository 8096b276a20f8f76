/**
 * What a command may use of the outside. The composition root has the real one over a terminal, files and the network;
 * tests have their own. Nothing in `cli/` touches the machine by another way.
 */
export interface CliHost {
  /** The answer of the command: standard output. Text is for a person; bytes, such as a log's, go out as they came. */
  write(data: string | Uint8Array): void;
  /** Progress, warnings and errors: standard error, so that the answer can be piped. */
  writeError(text: string): void;
  /** undefined when there is no such file. */
  readFile(path: string): Promise<string | undefined>;
  /** The same, of what is no text. */
  readBytes(path: string): Promise<Uint8Array<ArrayBuffer> | undefined>;
  /** All of standard input. */
  readInput(): Promise<string>;
  /** Whole or not at all, readable by its owner alone (0600). */
  writePrivateFile(path: string, text: string): Promise<void>;
  /** Where the sign-in is kept. */
  configPath: string;
  env: Readonly<Record<string, string | undefined>>;
  fetch(url: string, init?: RequestInit): Promise<Response>;
  /** A person reads the answer: colours and questions make sense. */
  isTerminal: boolean;
  /** How wide the terminal is that shows the answer; undefined when none does. */
  columns?: number;
  /** Asks the person at the terminal; `secret` does not show what is typed. */
  prompt(question: string, secret?: boolean): Promise<string>;
  /** Calls once when the person interrupts (Ctrl-C); returns how to stop listening. */
  onInterrupt(call: () => void): () => void;
  /** Milliseconds since 1970, to say how long something took; decides nothing. */
  now(): number;
  /** Resolves after so many milliseconds, or at once when the signal is aborted. */
  wait(milliseconds: number, signal?: AbortSignal): Promise<void>;
}

/** A sentence for the person, and the exit code: 2 the command line was wrong, 1 it could not be done. */
export class CliError extends Error {
  override readonly name = "CliError";
  constructor(message: string, readonly exitCode: 1 | 2 = 1) {
    super(message);
  }
}
export const usageError = (message: string): CliError => new CliError(message, 2);
