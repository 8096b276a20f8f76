/** A table over a list of the API: columns, rows that lead somewhere, "more", and what to say when it is empty. */
import type { ComponentChildren } from "preact";
import { useApp } from "../app_context.ts";
import { t } from "../i18n/locale.ts";
import type { ListModel } from "../models/list_model.ts";
import { navigate } from "../router.ts";
import { Button } from "./Button.tsx";
import { Card, Loaded } from "./Page.tsx";

export interface Column<T> {
  title: string;
  cell: (item: T) => ComponentChildren;
  /** Takes the space that is left. */
  wide?: boolean;
  end?: boolean;
}

export function ListTable<T extends { id: string }>({ list, columns, to, empty, filter }: {
  list: ListModel<T>;
  columns: Column<T>[];
  to?: (item: T) => string;
  empty: ComponentChildren;
  filter?: (item: T) => boolean;
}) {
  const { toasts } = useApp();
  return (
    <Loaded resource={list}>
      {(page) => {
        const items = filter ? page.items.filter(filter) : page.items;
        if (items.length === 0) return <Card>{empty}</Card>;
        return (
          <Card flush>
            <div class="scroll">
              <table class="table">
                <thead>
                  <tr>
                    {columns.map(({ title, end }, at) => <th key={at} scope="col" class={end ? "end" : ""}>{title}
                    </th>)}
                  </tr>
                </thead>
                <tbody>
                  {items.map((item) => (
                    <tr
                      key={item.id}
                      data-id={item.id}
                      class={to ? "goes" : ""}
                      onClick={to && ((event) => {
                        const isOwn = (event.target as Element).closest("a, button, input, dialog");
                        if (!isOwn && !getSelection()?.toString()) navigate(to(item));
                      })}
                    >
                      {columns.map(({ cell, wide, end }, at) => (
                        <td key={at} class={`${wide ? "wide" : ""} ${end ? "end" : ""}`}>{cell(item)}</td>
                      ))}
                    </tr>
                  ))}
                </tbody>
              </table>
            </div>
            {page.nextCursor && (
              <div class="more">
                <Button small onClick={() => list.more().catch(toasts.problem)}>{t("more")}</Button>
              </div>
            )}
          </Card>
        );
      }}
    </Loaded>
  );
}
