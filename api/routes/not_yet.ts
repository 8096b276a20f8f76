import { AppError } from "../../domain/app_error.ts";

/** A call of the contract whose work this release does not do: refused by name, never ignored. */
export const notCarriedOutYet = (what: string) => (): Promise<never> =>
  Promise.reject(
    new AppError(
      "conflict",
      "not_carried_out_yet",
      `This release of Boreas does not ${what} yet; nothing was changed.`,
    ),
  );
