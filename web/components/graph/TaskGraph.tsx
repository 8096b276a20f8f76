/** The deployment as a picture from left to right: a section that deploys and, when it came to that, one that rolls back. */
import type { Task } from "../../../protocol/http_api.ts";
import { deriveGraph } from "../../graph/derive_graph.ts";
import { t } from "../../i18n/locale.ts";
import { SectionGraph } from "./SectionGraph.tsx";

export interface TaskGraphInput {
  tasks: Task[];
  selectedId: string | undefined;
  onSelect: (id: string) => void;
}

export function TaskGraph({ tasks, selectedId, onSelect }: TaskGraphInput) {
  const sections = deriveGraph(tasks);
  return (
    <div class="graphs">
      {sections.map((section) => (
        <section
          key={section.kind}
          class="graph-section"
          data-section={section.kind}
          aria-label={t(`graph.${section.kind}`)}
        >
          {sections.length > 1 && <h3>{t(`graph.${section.kind}`)}</h3>}
          <SectionGraph section={section} selectedId={selectedId} onSelect={onSelect} />
        </section>
      ))}
    </div>
  );
}
