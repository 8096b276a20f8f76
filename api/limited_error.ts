import { AppError } from "../domain/app_error.ts";

/** 429 with the seconds to wait; the edge turns them into `Retry-After`. */
export class LimitedError extends AppError {
  constructor(readonly retryAfterSeconds: number) {
    super("limited", "request.limited", `Too many attempts; try again in ${retryAfterSeconds} s.`);
  }
}
