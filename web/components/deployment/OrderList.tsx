/** Puts applications in order: drag a row, or use its buttons; what is not in the list runs at once. */
import { useState } from "preact/hooks";
import { t } from "../../i18n/locale.ts";
import { moveTo, release } from "../../models/order_list.ts";
import type { OrderChoice } from "../../models/order_list.ts";
import { Button } from "../Button.tsx";
import { Icon } from "../Icon.tsx";

export function OrderList({ choice, onChange }: { choice: OrderChoice; onChange: (choice: OrderChoice) => void }) {
  const [dragged, setDragged] = useState<string>();
  const dropAt = (index: number) => ({
    onDragOver: (event: DragEvent) => event.preventDefault(),
    onDrop: (event: DragEvent) => {
      event.preventDefault();
      if (dragged) onChange(moveTo(choice, dragged, index));
      setDragged(undefined);
    },
  });
  const drag = (name: string) => ({
    draggable: true,
    onDragStart: (event: DragEvent) => {
      event.dataTransfer!.setData("text/plain", name);
      setDragged(name);
    },
    onDragEnd: () => setDragged(undefined),
  });
  return (
    <div class="order">
      <div class="order-column" {...dropAt(choice.ordered.length)}>
        <h3>{t("order.in.order")}</h3>
        {choice.ordered.length === 0 && <p class="order-empty">{t("order.empty")}</p>}
        <ol>
          {choice.ordered.map((name, index) => (
            <li
              key={name}
              class={dragged === name ? "dragged" : ""}
              {...drag(name)}
              {...dropAt(index)}
              data-ordered={name}
            >
              <Icon name="grip" class="quiet" />
              <span class="order-number figures">{index + 1}</span>
              <b>{name}</b>
              <Button
                look="ghost"
                small
                icon="up"
                label={t("order.up", { name })}
                disabled={index === 0}
                onClick={() => onChange(moveTo(choice, name, index - 1))}
              />
              <Button
                look="ghost"
                small
                icon="down"
                label={t("order.down", { name })}
                disabled={index === choice.ordered.length - 1}
                onClick={() => onChange(moveTo(choice, name, index + 1))}
              />
              <Button
                look="ghost"
                small
                icon="close"
                label={t("order.release", { name })}
                onClick={() => onChange(release(choice, name))}
              />
            </li>
          ))}
        </ol>
      </div>
      <div
        class="order-column"
        onDragOver={(event) => event.preventDefault()}
        onDrop={() => {
          if (dragged) onChange(release(choice, dragged));
          setDragged(undefined);
        }}
      >
        <h3>{t("order.free")}</h3>
        {choice.free.length === 0 && <p class="order-empty">{t("order.free.empty")}</p>}
        <ul>
          {choice.free.map((name) => (
            <li key={name} {...drag(name)} data-free={name}>
              <Icon name="grip" class="quiet" />
              <b>{name}</b>
              <Button
                look="ghost"
                small
                icon="plus"
                label={t("order.add", { name })}
                onClick={() => onChange(moveTo(choice, name, choice.ordered.length))}
              />
            </li>
          ))}
        </ul>
      </div>
    </div>
  );
}
