/** Cursor pagination: newest first (`order by id desc`), the cursor is the last id that was shown. */
import { AppError } from "../domain/app_error.ts";

export const DEFAULT_LIMIT = 50;
const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/;

/** Opaque on purpose: what is inside may change. */
export const encodeCursor = (id: string): string =>
  btoa(id).replaceAll("+", "-").replaceAll("/", "_").replace(/=+$/, "");

/** @returns the id to continue after; undefined on the first page */
export function decodeCursor(cursor?: string): string | undefined {
  if (cursor === undefined || cursor === "") return undefined;
  if (/^[A-Za-z0-9_-]{48}$/.test(cursor)) {
    const id = atob(cursor.replaceAll("-", "+").replaceAll("_", "/"));
    if (UUID.test(id)) return id;
  }
  throw new AppError("invalid", "request.cursor", "The cursor is not one of ours; begin again without it.", [
    { path: "cursor", message: "must be a nextCursor that this list gave" },
  ]);
}

/** @param rows up to limit + 1 of them: the one too many says that there is a next page */
export function page<Row extends { id: string }, Item>(
  rows: readonly Row[],
  limit: number,
  toItem: (row: Row) => Item,
): { items: Item[]; nextCursor: string | null } {
  const shown = rows.slice(0, limit);
  const last = shown.at(-1);
  return { items: shown.map(toItem), nextCursor: rows.length > limit && last ? encodeCursor(last.id) : null };
}
