/** How many streams one user may hold open in this process: each is cheap, and any number of them is not. */
import { AppError } from "../../domain/app_error.ts";

export interface StreamLimit {
  /** Counts one more. @returns how to give its place back; @throws AppError when this user has too many */
  enter(owner: string): () => void;
}
export const MAX_STREAMS = 256;

export function createStreamLimit(most: number = MAX_STREAMS): StreamLimit {
  const open = new Map<string, number>();
  return {
    enter(owner) {
      const count = open.get(owner) ?? 0;
      if (count >= most) {
        throw new AppError(
          "limited",
          "live.too_many_streams",
          `You have ${count} streams open here, and ${most} are allowed. Close some; one stream serves a whole page.`,
        );
      }
      open.set(owner, count + 1);
      let isOver = false;
      return () => {
        if (isOver) return;
        isOver = true;
        const left = open.get(owner)! - 1;
        if (left > 0) open.set(owner, left);
        else open.delete(owner);
      };
    },
  };
}
