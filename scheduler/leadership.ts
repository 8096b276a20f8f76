/** Who of several masters does what only one must do; `candidate.ts` stands for it. */
export interface Leadership {
  isLeader(): boolean;
  /** Of this process, while it leads. */
  term(): number | undefined;
  /** Calls whenever this process begins to lead. @returns a function that ends the subscription */
  onGain(call: () => void): () => void;
}

/** For one that is alone. */
export const soleLeader: Leadership = { isLeader: () => true, term: () => 1, onGain: () => () => {} };
