import { useEffect, useLayoutEffect, useRef, useState } from "preact/hooks";
import { useApp } from "../../app_context.ts";
import type { GraphSection } from "../../graph/derive_graph.ts";
import { boxOf, nearestNode, NODE_WIDTH, pathText, shapeOf } from "../../graph/place_graph.ts";
import type { Placement } from "../../graph/place_graph.ts";
import { t } from "../../i18n/locale.ts";
import { taskState } from "../../models/state_look.ts";
import { Button } from "../Button.tsx";
import { TaskNode } from "./TaskNode.tsx";

const PAD = 16;
const SMALLEST = 0.35;
const LARGEST = 1.6;
/** Nodes beyond the view are left out of the document when there are more than this. */
const DRAW_ALL = 120;

export interface SectionGraphInput {
  section: GraphSection;
  selectedId: string | undefined;
  onSelect: (id: string) => void;
}

export function SectionGraph({ section, selectedId, onSelect }: SectionGraphInput) {
  const { layout } = useApp();
  const shape = shapeOf(section);
  const [placed, setPlaced] = useState<{ shape: string; placement: Placement }>();
  const [zoom, setZoom] = useState(1);
  const [view, setView] = useState({ left: 0, top: 0, width: 2000, height: 1000 });
  const box = useRef<HTMLDivElement>(null);
  const pan = usePan(box);

  useEffect(() => {
    let isGone = false;
    void layout(section.nodes.map(boxOf), section.edges).then((placement) => isGone || setPlaced({ shape, placement }));
    return () => void (isGone = true);
  }, [shape]);

  const placement = placed?.placement;
  const fitting = () => {
    if (!placement || !box.current) return zoom;
    return Math.min(1, Math.max(0.6, (box.current.clientWidth - 2 * PAD) / placement.width));
  };
  const fit = () => setZoom(fitting());
  useLayoutEffect(fit, [placement]);
  const isFirst = useRef(true);
  useLayoutEffect(() => {
    if (!placement || !isFirst.current || zoom !== fitting()) return;
    isFirst.current = false;
    const holder = section.nodes.find(({ task, stages }) =>
      task.id === selectedId || stages.flat().some((part) => part.id === selectedId)
    );
    const place = holder && placement.places.get(holder.task.id);
    // Of a graph larger than the view, the part that matters first.
    if (place) box.current!.scrollTo(place.x * zoom - box.current!.clientWidth / 3, place.y * zoom - 60);
  }, [placement, zoom]);
  const look = () => {
    if (!box.current) return;
    const { scrollLeft, scrollTop, clientWidth, clientHeight } = box.current;
    setView({ left: scrollLeft / zoom, top: scrollTop / zoom, width: clientWidth / zoom, height: clientHeight / zoom });
  };
  useLayoutEffect(() => {
    if (placement) look();
  }, [placement, zoom]);

  const onWheel = (event: WheelEvent) => {
    if (!event.ctrlKey && !event.metaKey) return;
    event.preventDefault();
    setZoom((now) => clamp(now * (event.deltaY < 0 ? 1.1 : 1 / 1.1)));
  };
  useEffect(() => {
    const element = box.current!;
    element.addEventListener("wheel", onWheel, { passive: false });
    return () => element.removeEventListener("wheel", onWheel);
  }, []);

  const onKeyDown = (event: KeyboardEvent) => {
    const id = (event.target as HTMLElement).closest<HTMLElement>("[data-node]")?.dataset.node;
    const next = id && placement ? nearestNode(placement, id, event.key) : undefined;
    if (!next) return;
    event.preventDefault();
    box.current!.querySelector<HTMLElement>(`[data-node="${next}"] button`)?.focus();
  };

  const width = ((placement?.width ?? 0) + 2 * PAD) * zoom;
  const height = ((placement?.height ?? 90) + 2 * PAD) * zoom;
  const states = new Map(section.nodes.map(({ task }) => [task.id, taskState(task)]));
  return (
    <div class="graph">
      <div class="graph-box" ref={box} onScroll={look} onKeyDown={onKeyDown} {...pan}>
        <div class="graph-sheet" style={{ width: `${width}px`, height: `${height}px` }}>
          {placement && (
            <div class="graph-scene" style={{ transform: `scale(${zoom}) translate(${PAD}px, ${PAD}px)` }}>
              <svg class="edges" width={placement.width + 1} height={placement.height + 1} aria-hidden="true">
                {placement.paths.map(({ from, to, points }) => {
                  const end = points.at(-1) ?? { x: 0, y: 0 };
                  const isDone = states.get(from) === "success";
                  return (
                    <g key={`${from}>${to}`} class={isDone ? "edge done" : "edge"}>
                      <path class="line" d={pathText(points)} />
                      <path
                        class="tip"
                        d={`M${end.x - 7} ${end.y - 4}L${end.x - 1} ${end.y}L${end.x - 7} ${end.y + 4}z`}
                      />
                    </g>
                  );
                })}
              </svg>
              {section.nodes.map((node) => {
                const place = placement.places.get(node.task.id);
                if (!place || !isSeen(place, view, section.nodes.length)) return null;
                return <TaskNode key={node.task.id} {...{ node, place, selectedId, onSelect }} />;
              })}
            </div>
          )}
        </div>
      </div>
      <div class="graph-tools">
        <Button look="ghost" small icon="minus" label={t("graph.smaller")} onClick={() => setZoom(clamp(zoom / 1.2))} />
        <Button look="ghost" small icon="plus" label={t("graph.larger")} onClick={() => setZoom(clamp(zoom * 1.2))} />
        <Button look="ghost" small icon="fit" label={t("graph.fit")} onClick={fit} />
      </div>
    </div>
  );
}

const clamp = (zoom: number) => Math.min(LARGEST, Math.max(SMALLEST, zoom));

function isSeen(
  place: { x: number; y: number },
  view: { left: number; top: number; width: number; height: number },
  count: number,
) {
  if (count <= DRAW_ALL) return true;
  const margin = 300;
  return place.x + NODE_WIDTH > view.left - margin && place.x < view.left + view.width + margin &&
    place.y + 200 > view.top - margin && place.y < view.top + view.height + margin;
}

/** Dragging the ground moves the picture. */
function usePan(box: { current: HTMLDivElement | null }) {
  const from = useRef<{ x: number; y: number } | undefined>(undefined);
  return {
    onPointerDown: (event: PointerEvent) => {
      if (event.button !== 0 || (event.target as Element).closest("button")) return;
      from.current = { x: event.clientX, y: event.clientY };
      box.current!.setPointerCapture(event.pointerId);
    },
    onPointerMove: (event: PointerEvent) => {
      if (!from.current) return;
      box.current!.scrollBy(from.current.x - event.clientX, from.current.y - event.clientY);
      from.current = { x: event.clientX, y: event.clientY };
    },
    onPointerUp: () => void (from.current = undefined),
    onPointerCancel: () => void (from.current = undefined),
  };
}
