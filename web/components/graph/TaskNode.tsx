import type { Task } from "../../../protocol/http_api.ts";
import type { GraphNode } from "../../graph/derive_graph.ts";
import { boxOf, NODE_WIDTH } from "../../graph/place_graph.ts";
import { reasonText, t, tState } from "../../i18n/locale.ts";
import { lookOf, taskState } from "../../models/state_look.ts";
import { partName } from "../../text/part_name.ts";
import { Icon } from "../Icon.tsx";
import { RunTime } from "../Times.tsx";

interface TaskNodeInput {
  node: GraphNode;
  place: { x: number; y: number };
  selectedId: string | undefined;
  onSelect: (id: string) => void;
}

export function TaskNode({ node, place, selectedId, onSelect }: TaskNodeInput) {
  const { task, stages } = node;
  const state = taskState(task);
  const look = lookOf(state);
  const holdsSelected = selectedId === task.id || stages.flat().some((part) => part.id === selectedId);
  return (
    <div
      class={`node ${holdsSelected ? "selected" : ""}`}
      data-tone={look.tone}
      data-node={task.id}
      data-task={task.name}
      data-state={state}
      style={{
        transform: `translate(${place.x}px, ${place.y}px)`,
        width: `${NODE_WIDTH}px`,
        height: `${boxOf(node).height}px`,
      }}
    >
      <button
        type="button"
        class="node-main"
        aria-pressed={selectedId === task.id}
        title={`${partName(task)}\n${reasonText(task.reason)}`}
        onClick={() => onSelect(task.id)}
      >
        <span class="node-top">
          <Icon name={look.icon} class={look.icon === "running" ? "spin" : ""} />
          <b>{partName(task)}</b>
          {task.attempt > 1 && <em class="tag" title={t("log.attempt.n", { n: task.attempt })}>#{task.attempt}</em>}
          <RunTime of={task} />
        </span>
        <span class="node-state">{tState("task", state)}</span>
        <span class="node-reason">{reasonText(task.reason)}</span>
      </button>
      {stages.length > 0 && <Parts stages={stages} selectedId={selectedId} onSelect={onSelect} />}
    </div>
  );
}

function Parts(
  { stages, selectedId, onSelect }: {
    stages: Task[][];
    selectedId: string | undefined;
    onSelect: (id: string) => void;
  },
) {
  return (
    <div class="parts" role="group" aria-label={t("graph.parts")}>
      {stages.map((stage, index) => (
        <>
          {index > 0 && (
            <i class="parts-step" aria-hidden="true">
              <Icon name="right" size={10} />
            </i>
          )}
          {stage.map((part) => {
            const state = taskState(part);
            const look = lookOf(state);
            const label = `${partName(part)}: ${tState("task", state)}`;
            return (
              <button
                key={part.id}
                type="button"
                class="part"
                data-tone={look.tone}
                data-state={state}
                data-part={part.name}
                aria-pressed={selectedId === part.id}
                aria-label={label}
                title={label}
                onClick={() => onSelect(part.id)}
              >
                <Icon name={look.icon} size={12} class={look.icon === "running" ? "spin" : ""} />
              </button>
            );
          })}
        </>
      ))}
    </div>
  );
}
